package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// long reports whether the full number of rounds was asked for.
func long() bool { return os.Getenv("CI_LONG") != "" }

// rounds is how often to do something: all of it under CI_LONG, a tenth otherwise.
func rounds(full int) int {
	if long() {
		return full
	}
	return max(full/10, 1)
}

func TestKilledAgentCountsEveryEventOnce(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { countThroughKills(t, embeddedBroker(t), rounds(20)) })
	t.Run("mosquitto", func(t *testing.T) { countThroughKills(t, mosquittoBroker(t), rounds(50)) })
}

// mosquittoBroker starts Debian's broker as docs/brokers.md recommends.
func mosquittoBroker(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		if program = "/usr/sbin/mosquitto"; !exists(program) {
			t.Skip("mosquitto is not installed")
		}
	}
	dir := t.TempDir()
	port := freePort(t)
	file := filepath.Join(dir, "mosquitto.conf")
	config := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 100000\n"+
		"max_inflight_messages 1000\npersistence false\n", port)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(program, "-c", file)
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Process.Kill(); broker.Wait() })
	url := fmt.Sprintf("tcp://127.0.0.1:%d", port)
	awaitPort(t, fmt.Sprintf("127.0.0.1:%d", port))
	return url
}

// countThroughKills sends numbered events into a counter and an average while the agent is killed over and over, and
// then looks whether each was counted once and each output follows from the one before.
func countThroughKills(t *testing.T, url string, kills int) {
	r := newRigAt(t, url, "edge-agent").start()
	r.running("counter", 1, counting)
	r.running("average", 1, `{"kind":"ewma","config":{"value":"/v","alpha":0.5},`+
		`"inputs":[{"topic":"plant/n","id":{"json":"/seq"},"source":{"json":"/dev"}}],"outputs":[{}]}`)

	var sent, ended atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n := sent.Add(1)
			token := r.peer.client.Publish("plant/n", 1, false, fmt.Sprintf(`{"dev":"a","seq":%d,"v":%d}`, n, n%7))
			go func() { token.Wait(); ended.Add(1) }()
			for sent.Load()-ended.Load() > 500 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(300 * time.Microsecond)
		}
	}()
	random := rand.New(rand.NewPCG(uint64(kills), 7))
	for range kills {
		time.Sleep(time.Duration(random.IntN(250)) * time.Millisecond)
		r.kill()
		r.launch()
		if random.IntN(3) > 0 { // else it may be killed while it starts
			r.ready()
		}
	}
	r.ready()
	close(stop)
	<-done

	total := uint64(sent.Load())
	for _, id := range []mesh.DaemonID{"counter", "average"} {
		r.until(fmt.Sprintf("%s to have seen %d events", id, total), func() bool { return newest(r.frames(id)) >= total })
		followChain(t, r, id, total)
	}
	frames := r.frames("counter")
	var count struct{ Count uint64 }
	if err := json.Unmarshal(frames[len(frames)-1].Payload, &count); err != nil || count.Count != total {
		t.Errorf("counted %d of %d events (%v)", count.Count, total, err)
	}
	t.Logf("%d kills, %d events", kills, total)
}

func newest(frames []mesh.Frame) (highest uint64) {
	for _, f := range frames {
		highest = max(highest, f.Link.Sequence)
	}
	return highest
}

// followChain checks that outputs run from 1 to last, each naming the one before, once repeats are dropped.
func followChain(t *testing.T, r *rig, id mesh.DaemonID, last uint64) {
	t.Helper()
	chain := mesh.NewChain(mesh.OriginOf(string(r.fleet), id), 1, 0)
	for _, f := range r.frames(id) {
		head := chain.Head()
		if f.Link.Sequence <= head.Link.Sequence {
			continue // a repeat
		}
		if got := chain.Append(f.Payload, f.Link.Horizon); got != f.Link {
			t.Fatalf("output of %s is linked %+v, want %+v", id, f.Link, got)
		}
	}
	if got := chain.Head().Link.Sequence; got != last {
		t.Errorf("the chain of %s ends at %d, want %d", id, got, last)
	}
}

func TestAgentWithoutABrokerWorksAndDeliversLater(t *testing.T) {
	port := freePort(t)
	at := fmt.Sprintf("127.0.0.1:%d", port)
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := "daemons:\n  ticker:\n    kind: puppet\n    config: {}\n    durability: sync\n" +
		"    inputs: [{every: 20ms}]\n    outputs: [{qos: 1}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, program: "edge-agent-puppets", url: "tcp://" + at, dir: t.TempDir(), fleet: "test", node: "n1",
		args: []string{"--config", config}, log: &syncBuffer{}}
	t.Cleanup(func() {
		if r.process != nil {
			r.kill()
		}
		if t.Failed() {
			t.Logf("the agent's log:\n%s", tail(r.log.String(), 6000))
		}
	})
	r.start()
	events := func() uint64 {
		var all []daemonView
		if err := r.get("/daemons", &all); err != nil || len(all) == 0 {
			return 0
		}
		return all[0].Stats["events"]
	}
	r.until("ticks without a broker", func() bool { return events() > 20 })
	r.kill()
	r.start()
	r.until("more ticks after a kill", func() bool { return events() > 20 })
	serveBroker(t, at)
	r.peer = newPeer(t, r.url, r.fleet.Root()+"/#")
	r.until("everything that was produced", func() bool {
		frames := r.frames("ticker")
		return len(frames) > 40 && newest(frames) > 40
	})
	followChain(t, r, "ticker", newest(r.frames("ticker")))
}

func TestSecondAgentOnAStateDirectoryNamesTheFirst(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	second := exec.Command("edge-agent", "run", "--state-dir", r.dir, "--broker", r.url)
	output, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != int(exitRefused) {
		t.Errorf("the second agent ended with %v, want code %d", err, exitRefused)
	}
	if want := fmt.Sprint(r.process.Process.Pid); !strings.Contains(string(output), want) {
		t.Errorf("it says %q, want the pid %s", output, want)
	}
}
