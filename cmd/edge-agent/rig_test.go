package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// rig is an agent in a process of its own, its broker, and somebody who talks to it over MQTT alone.
type rig struct {
	t       *testing.T
	program string // edge-agent, or edge-agent-puppets
	url     string
	dir     string
	fleet   order.Fleet
	node    mesh.NodeID
	peer    *peer
	args    []string
	told    int // acts that puppets were told

	process *exec.Cmd
	ended   chan error
	log     *syncBuffer
}

// newRig talks to an embedded broker of its own.
func newRig(t *testing.T, program string, args ...string) *rig {
	t.Helper()
	return newRigAt(t, embeddedBroker(t), program, args...)
}

func newRigAt(t *testing.T, url, program string, args ...string) *rig {
	t.Helper()
	r := &rig{t: t, program: program, url: url, dir: t.TempDir(), fleet: "test", node: "n1", args: args}
	r.log = &syncBuffer{}
	r.peer = newPeer(t, url, r.fleet.Root()+"/#")
	t.Cleanup(func() {
		if r.process != nil {
			r.kill()
		}
		if t.Failed() {
			t.Logf("the agent's log:\n%s", tail(r.log.String(), 6000))
		}
	})
	return r
}

func embeddedBroker(t *testing.T) string {
	t.Helper()
	b, err := mqtt.OpenBroker(mqtt.BrokerOptions{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return "tcp://" + b.Addrs()[0].String()
}

// start runs the agent and returns once it is ready.
func (r *rig) start() *rig {
	r.t.Helper()
	r.launch()
	r.ready()
	return r
}

func (r *rig) launch() {
	r.t.Helper()
	args := append([]string{"run", "--broker", r.url, "--fleet", string(r.fleet), "--node", string(r.node),
		"--state-dir", r.dir}, r.args...)
	r.process = exec.Command(r.program, args...)
	r.process.Stderr, r.process.Stdout = r.log, r.log
	r.process.Env = append(os.Environ(), "EDGE_AGENT_CONFIG=")
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	process, ended := r.process, make(chan error, 1)
	r.ended = ended
	go func() { ended <- process.Wait() }()
}

// kill ends the agent as a power cut of the process would.
func (r *rig) kill() {
	r.process.Process.Kill()
	<-r.ended
	r.process = nil
}

// stop ends the agent as systemd would, and checks that it leaves cleanly.
func (r *rig) stop() {
	r.t.Helper()
	r.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Fatalf("the agent ended with %v\n%s", err, tail(r.log.String(), 4000))
		}
	case <-time.After(patience):
		r.t.Fatalf("the agent did not stop\n%s", tail(r.log.String(), 4000))
	}
	r.process = nil
}

// get asks the local door.
func (r *rig) get(path string, into any) error {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, socketName))
		},
		DisableKeepAlives: true,
	}}
	answer, err := client.Get("http://agent" + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if text, ok := into.(*string); ok {
		var b bytes.Buffer
		_, err := b.ReadFrom(answer.Body)
		*text = b.String()
		return err
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// assign publishes an order, retained, as anybody with the right to do so would.
func (r *rig) assign(id mesh.DaemonID, body string) {
	r.t.Helper()
	r.peer.publish(r.fleet.Assigned(r.node, id), 1, true, body)
}

// report waits until the report about a daemon is as wanted.
func (r *rig) report(id mesh.DaemonID, what string, wanted func(order.Report) bool) order.Report {
	r.t.Helper()
	var last string
	var report order.Report
	topic := r.fleet.Report(r.node, id)
	r.until(what+" in the report about "+string(id), func() bool {
		last = r.peer.last(topic)
		report = order.Report{}
		return last != "" && order.Parse([]byte(last), &report) == nil && wanted(report)
	}, func() string { return "the last one is " + last })
	return report
}

// running assigns a spec and waits until the daemon runs.
func (r *rig) running(id mesh.DaemonID, generation int, spec string) order.Report {
	r.t.Helper()
	r.assign(id, fmt.Sprintf(`{"v":1,"term":0,"generation":%d,"state":"run","spec":%s}`, generation, spec))
	return r.report(id, "running", func(p order.Report) bool {
		if p.Refused != "" || p.State == order.Failed && p.Generation == uint64(generation) {
			r.t.Fatalf("the order for %s is %s: %s %s", id, p.State, p.Refused, p.Error)
		}
		return p.State == order.Running && p.Generation == uint64(generation)
	})
}

// until waits for a condition.
func (r *rig) until(what string, reached func() bool, why ...func() string) {
	r.t.Helper()
	await(r.t, what, reached, why...)
}

func await(t *testing.T, what string, reached func() bool, why ...func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !reached() {
		if time.Now().After(deadline) {
			text := ""
			for _, w := range why {
				text += "; " + w()
			}
			t.Fatalf("waited %s for %s%s", patience, what, text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// peer is somebody else on the broker. It keeps everything it hears, in order.
type peer struct {
	t      *testing.T
	client paho.Client
	mu     sync.Mutex
	heard  []paho.Message
	latest map[string]string
}

func newPeer(t *testing.T, url string, filters ...string) *peer {
	t.Helper()
	p := &peer{t: t, latest: map[string]string{}}
	o := paho.NewClientOptions().AddBroker(url).SetClientID("peer-" + strings.ReplaceAll(t.Name(), "/", "-")).
		SetCleanSession(true).SetOrderMatters(true).SetKeepAlive(0).SetMaxReconnectInterval(100 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heard = append(p.heard, m)
		p.latest[m.Topic()] = string(m.Payload())
	})
	o.SetOnConnectHandler(func(c paho.Client) {
		for _, filter := range filters {
			c.Subscribe(filter, 1, nil)
		}
	})
	p.client = paho.NewClient(o)
	if token := p.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal("connecting to the broker:", token.Error())
	}
	t.Cleanup(func() { p.client.Disconnect(100) })
	return p
}

func (p *peer) publish(topic string, qos byte, retained bool, payload string) {
	p.t.Helper()
	token := p.client.Publish(topic, qos, retained, payload)
	if !token.WaitTimeout(patience) || token.Error() != nil {
		p.t.Fatalf("publishing on %s: %v", topic, errors.Join(token.Error(), errors.New("not confirmed")))
	}
}

// last is the newest message on a topic.
func (p *peer) last(topic string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest[topic]
}

// on are the payloads heard on a topic, in order.
func (p *peer) on(topic string) (payloads [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.heard {
		if m.Topic() == topic {
			payloads = append(payloads, m.Payload())
		}
	}
	return payloads
}

// frames are the causal frames heard on a daemon's output.
func (r *rig) frames(id mesh.DaemonID) (frames []mesh.Frame) {
	r.t.Helper()
	for _, payload := range r.peer.on(r.fleet.Output(id, "out")) {
		frame, rest, err := mesh.ParseFrame(payload)
		if err != nil || len(rest) > 0 {
			r.t.Fatalf("an output of %s is no causal frame: %v, %d bytes left", id, err, len(rest))
		}
		frames = append(frames, frame)
	}
	return frames
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func tail(text string, n int) string {
	if len(text) > n {
		return "…" + text[len(text)-n:]
	}
	return text
}

// ready waits until the agent takes orders.
func (r *rig) ready() {
	r.t.Helper()
	r.until("the agent to be ready", func() bool {
		select {
		case err := <-r.ended:
			r.t.Fatalf("the agent ended: %v\n%s", err, tail(r.log.String(), 4000))
		default:
		}
		var s struct{ State order.Life }
		return r.get("/state", &s) == nil && s.State == order.Ready
	})
}

// online waits until the agent has its broker and can send what it keeps nowhere.
func (r *rig) online() {
	r.t.Helper()
	r.until("a connection", func() bool {
		var s struct{ Connected bool }
		return r.get("/state", &s) == nil && s.Connected
	})
}

func serveBroker(t *testing.T, at string) {
	t.Helper()
	b, err := mqtt.OpenBroker(mqtt.BrokerOptions{Listen: at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func awaitPort(t *testing.T, at string) {
	t.Helper()
	await(t, "the broker at "+at, func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}
