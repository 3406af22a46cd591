package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

const (
	counting = `{"kind":"counter","config":{},"inputs":[{"topic":"plant/n","id":{"json":"/seq"},"source":{"json":"/dev"}}],` +
		`"outputs":[{}]}`
	watching = `{"kind":"threshold","config":{"value":"/v","above":50},"inputs":[{"topic":"plant/+/t"}],"outputs":[{}]}`
)

func TestAssignedDaemonRunsAndReports(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	report := r.running("oven", 1, watching)
	if report.Epoch != 1 || report.Kind != "threshold" || report.Body == "" || report.Durability != order.Sync {
		t.Errorf("report is %+v: want epoch 1, kind threshold, a body and durability sync", report)
	}
	if len(report.Inputs) != 1 || report.Inputs[0].Guarantee != order.AtLeast {
		t.Errorf("inputs are %+v, want one at least once", report.Inputs)
	}
	r.peer.publish("plant/oven/t", 1, false, `{"v":20}`)
	r.peer.publish("plant/oven/t", 1, false, `{"v":80}`)
	r.until("an alarm", func() bool { return len(r.frames("oven")) > 0 })
	if text := string(r.frames("oven")[0].Payload); !strings.Contains(text, "80") {
		t.Errorf("the alarm is %s, want it to name 80", text)
	}
}

func TestWrongOrdersAreAnsweredAndDisturbNothing(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	r.running("good", 3, counting)
	cases := map[string]struct {
		body    string
		refused order.Refusal
		says    string
	}{
		"no-json":      {`{"v":1,`, order.Invalid, ""},
		"wrong-type":   {`{"v":1,"generation":"x","state":"run"}`, order.Invalid, "generation"},
		"no-such-kind": {`{"v":1,"term":0,"generation":1,"state":"run","spec":{"kind":"teapot","config":{},"inputs":[]}}`, order.UnknownKind, "teapot"},
		"wrong-config": {`{"v":1,"term":0,"generation":1,"state":"run","spec":{"kind":"threshold","config":{"abov":1},"inputs":[]}}`, order.Invalid, "abov"},
		"unmet":        {`{"v":1,"term":0,"generation":1,"state":"run","spec":{"kind":"counter","config":{},"inputs":[],"requires":"hardware.gpu.vram_mb>=99999999"}}`, order.Unmet, "vram"},
		"standby":      {`{"v":1,"term":0,"generation":1,"state":"standby","spec":` + counting + `}`, order.Unsupported, "standby"},
		"future":       {`{"v":2,"generation":1,"state":"run"}`, order.Invalid, "version"},
		"leaping":      {`{"v":1,"term":0,"generation":99999999,"state":"run","spec":` + counting + `}`, order.Jump, ""},
	}
	for id, c := range cases {
		r.assign(daemonID(id), c.body)
	}
	for id, c := range cases {
		refused := func(p order.Report) bool { return p.Refused == c.refused }
		report := r.report(daemonID(id), "refused "+string(c.refused), refused)
		if report.State != order.Failed || report.Error == "" || !strings.Contains(report.Error, c.says) {
			t.Errorf("%s: state %s, error %q: want failed and a word about %q", id, report.State, report.Error, c.says)
		}
	}
	for body, refused := range map[string]order.Refusal{
		`{"v":1,"term":0,"generation":2,"state":"stop"}`: order.Stale,
		`{"v":1,"term":0,"generation":3,"state":"stop"}`: order.Conflict,
	} {
		r.assign("good", body)
		report := r.report("good", string(refused), func(p order.Report) bool { return p.Refused == refused })
		if report.State != order.Running {
			t.Errorf("a %s order leaves the daemon %s, want running", refused, report.State)
		}
	}
	r.peer.publish("plant/n", 1, false, `{"dev":"a","seq":1}`)
	r.until("the good daemon to count on", func() bool { return len(r.frames("good")) == 1 })
}

func TestEqualOrderIsAnsweredAndChangesNothing(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	r.running("c1", 1, counting)
	before := len(r.peer.on(r.fleet.Report(r.node, "c1")))
	r.running("c1", 1, counting)
	r.until("another report", func() bool { return len(r.peer.on(r.fleet.Report(r.node, "c1"))) > before })
	events := r.peer.on(r.fleet.Lifecycle(r.node))
	if len(events) != 1 {
		t.Errorf("%d lifecycle events %s, want the one of its start", len(events), events)
	}
}

func TestStoppedDaemonGoesOnWhereItWas(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	r.running("c1", 1, counting)
	publish := func(seq int) { r.peer.publish("plant/n", 1, false, fmt.Sprintf(`{"dev":"a","seq":%d}`, seq)) }
	publish(1)
	r.until("the first count", func() bool { return len(r.frames("c1")) == 1 })
	r.assign("c1", `{"v":1,"term":0,"generation":2,"state":"stop"}`)
	r.report("c1", "stopped", func(p order.Report) bool { return p.State == order.Stopped && p.Generation == 2 })
	r.running("c1", 3, counting)
	publish(2)
	r.until("the second count", func() bool { return len(r.frames("c1")) == 2 })
	second := r.frames("c1")[1]
	if second.Link.Sequence != 2 || !strings.Contains(string(second.Payload), `"count":2`) {
		t.Errorf("after a stop the output is %d %s, want sequence 2 and count 2", second.Link.Sequence, second.Payload)
	}
}

func TestDaemonThatIsGoneIsForgottenWhenItsOrderIs(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	r.running("c1", 1, counting)
	r.peer.publish("plant/n", 1, false, `{"dev":"a","seq":1}`)
	r.until("a count", func() bool { return len(r.frames("c1")) == 1 })
	r.assign("c1", `{"v":1,"term":0,"generation":2,"state":"gone"}`)
	r.report("c1", "gone", func(p order.Report) bool { return p.State == order.Forgotten })
	r.assign("c1", "")
	r.until("the report to be taken back", func() bool { return r.peer.last(r.fleet.Report(r.node, "c1")) == "" })
	report := r.running("c1", 1, counting)
	if report.Head != nil && report.Head.Sequence != 0 {
		t.Errorf("a new daemon of the name begins at %d, want 0", report.Head.Sequence)
	}
}

func TestOrdersOutliveARestart(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	r.running("c1", 1, counting)
	r.running("c2", 1, watching)
	r.assign("c2", `{"v":1,"term":0,"generation":2,"state":"stop"}`)
	r.report("c2", "stopped", func(p order.Report) bool { return p.State == order.Stopped })
	r.stop()
	r.peer.publish(r.fleet.Assigned(r.node, "c1"), 1, true, "") // the broker has lost them
	r.peer.publish(r.fleet.Assigned(r.node, "c2"), 1, true, "")
	r.start()
	var states []daemonView
	if err := r.get("/daemons", &states); err != nil || len(states) != 2 || states[0].State != order.Running ||
		states[1].State != order.Stopped {
		t.Errorf("daemons are %+v (%v), want c1 running and c2 stopped", states, err)
	}
}

// daemonView is what these tests read of a daemon at the local door.
type daemonView struct {
	Daemon string
	State  order.Phase
	Error  string
	Stats  map[string]uint64
}

func daemonID(s string) mesh.DaemonID { return mesh.DaemonID(s) }

func TestChangedSpecLosesNoInput(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	spec := func(events int) string {
		return fmt.Sprintf(`%s,"snapshot":{"events":%d}}`, strings.TrimSuffix(counting, "}"), events)
	}
	r.running("c1", 1, spec(100))
	total := 0
	for generation := 2; generation < 8; generation++ {
		r.assign("c1", fmt.Sprintf(`{"v":1,"term":0,"generation":%d,"state":"run","spec":%s}`, generation, spec(100+generation)))
		for range 40 {
			total++
			r.peer.client.Publish("plant/n", 1, false, fmt.Sprintf(`{"dev":"a","seq":%d}`, total))
		}
		r.report("c1", "running again", func(p order.Report) bool {
			return p.State == order.Running && p.Generation == uint64(generation)
		})
	}
	r.until("every event to be counted", func() bool { return newest(r.frames("c1")) >= uint64(total) })
	followChain(t, r, "c1", uint64(total))
}
