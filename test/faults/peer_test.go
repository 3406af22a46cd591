package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/edge-agent/edge-agent/mesh"
)

// peer is somebody else on the broker, who keeps what matters of all it hears.
type peer struct {
	t      *testing.T
	client paho.Client

	mu     sync.Mutex
	latest map[string][]byte
	heard  map[mesh.DaemonID][]mesh.Frame // outputs in order, repeats too
	high   map[mesh.DaemonID]uint64       // the highest sequence heard
}

func newPeer(t *testing.T, url, filter string) *peer {
	t.Helper()
	p := &peer{t: t, latest: map[string][]byte{}, heard: map[mesh.DaemonID][]mesh.Frame{},
		high: map[mesh.DaemonID]uint64{}}
	o := paho.NewClientOptions().AddBroker(url).SetClientID("peer").SetOrderMatters(true).SetAutoReconnect(false)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { p.hear(m.Topic(), m.Payload()) })
	p.client = paho.NewClient(o)
	token := p.client.Connect()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal("connecting to the broker:", token.Error())
	}
	t.Cleanup(func() { p.client.Disconnect(100) })
	if token = p.client.Subscribe(filter, 1, nil); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal("subscribing:", token.Error())
	}
	return p
}

func (p *peer) hear(topic string, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest[topic] = payload
	if !strings.Contains(topic, "/o/") || strings.HasSuffix(topic, "/_gap") {
		return
	}
	frame, rest, err := mesh.ParseFrame(payload)
	if err != nil || len(rest) > 0 {
		p.t.Errorf("on %s there is no causal frame: %v, %d bytes left", topic, err, len(rest))
		return
	}
	p.heard[frame.Daemon] = append(p.heard[frame.Daemon], frame)
	p.high[frame.Daemon] = max(p.high[frame.Daemon], frame.Link.Sequence)
}

// forget leaves nothing heard.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.heard)
	clear(p.high)
}

func (p *peer) last(topic string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest[topic]
}

// frames are the outputs of a daemon heard so far.
func (p *peer) frames(id mesh.DaemonID) []mesh.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard[id][:len(p.heard[id]):len(p.heard[id])]
}

// newest is the highest sequence of a daemon's outputs heard so far.
func (p *peer) newest(id mesh.DaemonID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.high[id]
}

// say publishes at QoS 1 and waits until the broker has it.
func (p *peer) say(topic string, retained bool, payload string) error {
	token := p.client.Publish(topic, 1, retained, payload)
	if !token.WaitTimeout(patience) {
		return fmt.Errorf("publishing on %s: not confirmed in %s", topic, patience)
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("publishing on %s: %w", topic, err)
	}
	return nil
}

// The daemons that are counted by. The long keys make snapshots of "apart" too large for the database.
const (
	input    = `"inputs":[{"topic":"plant/n","id":{"json":"/seq"},"source":{"json":"/dev"}}],"outputs":[{}]`
	together = `{"kind":"counter","config":{},` + input + `}`
	apart    = `{"kind":"counter","config":{"per":"source","key":"/key","keys":1024},"snapshot":{"events":100},` + input + `}`
	keys     = 400
)

func keyOf(seq int) string { return fmt.Sprintf("%0230d", seq*7919%keys) }

// source publishes numbered events, each once; the broker keeps them for the agent.
type source struct {
	p    *peer
	sent int
}

// event publishes the next one and waits until the broker has it.
func (s *source) event() error {
	s.sent++
	return s.p.say("plant/n", false, fmt.Sprintf(`{"dev":"a","seq":%d,"key":"%s"}`, s.sent, keyOf(s.sent)))
}

// events publishes the next n.
func (s *source) events(n int) {
	s.p.t.Helper()
	for range n {
		if err := s.event(); err != nil {
			s.p.t.Fatal(err)
		}
	}
}

// outstanding is how many events may wait at the broker: an inbox takes 4 MiB and gives up what is beyond.
const outstanding = 1000

// stream publishes until the returned function is called, or the test has ended.
func (s *source) stream() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
			}
			if s.sent > int(s.p.newest("together"))+outstanding {
				continue
			}
			if err := s.event(); err != nil {
				s.p.t.Error(err)
				return
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(quit); <-done })
	s.p.t.Cleanup(stop)
	return stop
}

// verdict says what is wrong with the outputs of a daemon after so many events: each that was not set aside must have
// been counted once, and what was heard may be repeated, but never be contradicted.
func (r *rig) verdict(id mesh.DaemonID, sent int, aside []int) error {
	chain := mesh.NewChain(mesh.OriginOf(string(r.fleet), id), 1, 0)
	heard := map[uint64]mesh.Frame{}
	counts := map[string]int{}
	for _, f := range r.frames(id) {
		n := f.Link.Sequence
		if first, again := heard[n]; again {
			if first.Link != f.Link || !bytes.Equal(first.Payload, f.Payload) {
				return fmt.Errorf("output %d of %s is %s, and was %s", n, id, f.Payload, first.Payload)
			}
			continue
		}
		heard[n] = f
		if got := chain.Append(f.Payload, f.Link.Horizon); got != f.Link {
			return fmt.Errorf("output %d of %s is linked %+v, want %+v", n, id, f.Link, got)
		}
		var count struct {
			Key   string
			Count int
		}
		if err := json.Unmarshal(f.Payload, &count); err != nil {
			return err
		}
		if counts[count.Key]++; counts[count.Key] != count.Count {
			return fmt.Errorf("output %d of %s counts %d, want %d", n, id, count.Count, counts[count.Key])
		}
	}
	want := map[string]int{}
	for seq := 1; seq <= sent; seq++ {
		if slices.Contains(aside, seq) {
			continue
		}
		if id == "apart" {
			want[keyOf(seq)]++
		} else {
			want[""]++
		}
	}
	if !maps.Equal(counts, want) {
		return fmt.Errorf("%s counted %d of %d events, or others (%d set aside)", id, len(heard), sent, len(aside))
	}
	return nil
}
