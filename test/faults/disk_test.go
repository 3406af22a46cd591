package faults

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/order"
	"github.com/edge-agent/edge-agent/test/faults/lossy"
)

const fleeting = `{"kind":"counter","config":{},"durability":"volatile",` +
	`"inputs":[{"topic":"plant/v"}],"outputs":[{"qos":0}]}`

// TestFailingDiskStopsAcknowledgementsAndNothingElse lets the disk fail under a running agent and be good again, and
// once more with a power cut while it fails.
func TestFailingDiskStopsAcknowledgementsAndNothingElse(t *testing.T) {
	cases := map[string]lossy.Faults{
		"full":       {Full: true},
		"read-only":  {ReadOnly: true},
		"bad writes": {Write: syscall.EIO},
		"bad syncs":  {Sync: syscall.EIO},
	}
	for name, faults := range cases {
		t.Run(name, func(t *testing.T) {
			d := newLossy()
			r := newRig(t, d)
			r.counting()
			events := &source{p: r.peer}
			events.events(50)
			r.drained(events.sent)

			d.Set(faults)
			before := events.sent
			events.events(20)
			r.fleets(20)
			r.healthy(false)
			r.fleets(20)
			for _, id := range durable {
				if got := r.newest(id); got != uint64(before) {
					t.Errorf("%s came to %d on a disk that keeps nothing, want %d", id, got, before)
				}
			}
			d.Set(lossy.Faults{})
			r.drained(events.sent)
			r.healthy(true)
			r.fleets(20)

			d.Set(faults)
			events.events(20)
			r.healthy(false)
			d.CutNow(lossy.Cut{Mode: lossy.Drop})
			d.Set(lossy.Faults{})
			r.power()
			r.ready()
			events.events(20)
			r.judge(events)
		})
	}
}

func TestSlowDiskDelaysAndNothingElse(t *testing.T) {
	d := newLossy()
	r := newRig(t, d)
	r.counting()
	d.Set(lossy.Faults{Delay: 50 * time.Millisecond})
	events := &source{p: r.peer}
	events.events(200)
	r.fleets(50)
	r.drained(events.sent)
	r.healthy(true)
	cut := d.CutAt(lossy.Cut{After: d.Ops() + 20, Mode: lossy.Torn, Seed: 1})
	events.events(100)
	<-cut
	r.power()
	r.ready()
	r.judge(events)
}

// TestLyingDiskIsCaught shows that the rig would see an agent that acknowledges what is not on disk: this one believes
// that it is.
func TestLyingDiskIsCaught(t *testing.T) {
	d := newLossy()
	r := newRig(t, d)
	r.counting()
	events := &source{p: r.peer}
	events.events(50)
	r.drained(events.sent)
	d.Set(lossy.Faults{Lie: true})
	events.events(50)
	r.drained(events.sent)
	if err := r.verdict("together", events.sent, nil); err != nil {
		t.Fatalf("before the cut: %v", err)
	}
	d.CutNow(lossy.Cut{Mode: lossy.Drop})
	d.Set(lossy.Faults{})
	r.power()
	r.ready()
	r.forget()
	events.events(1)
	r.until("the event after the cut to be counted", func() bool { return r.newest("together") > 0 })
	if got, lost := r.newest("together"), uint64(events.sent); got >= lost {
		t.Errorf("the disk lost 50 events and %d of %d are counted", got, lost)
	}
	if err := r.verdict("together", events.sent, nil); err == nil {
		t.Error("the rig does not see what was lost")
	} else {
		t.Log("seen:", err)
	}
}

// counting starts the agent with two durable daemons and a volatile one.
func (r *rig) counting() {
	r.t.Helper()
	r.launch()
	r.ready()
	r.running("together", together)
	r.running("apart", apart)
	r.running("fleeting", fleeting)
}

// fleets sends n events to the volatile daemon and waits until all are counted.
func (r *rig) fleets(n int) {
	r.t.Helper()
	want := r.newest("fleeting") + uint64(n)
	for range n {
		if err := r.say("plant/v", false, "{}"); err != nil {
			r.t.Fatal(err)
		}
	}
	r.until("the volatile daemon to count", func() bool { return r.newest("fleeting") >= want })
}

// healthy waits until /healthz says that the node keeps what it is given, or that it cannot.
func (r *rig) healthy(want bool) {
	r.t.Helper()
	status := http.StatusServiceUnavailable
	if want {
		status = http.StatusOK
	}
	r.until("/healthz to answer "+http.StatusText(status), func() bool {
		var health order.Health
		got, err := r.get("/healthz", &health)
		return err == nil && got == status
	})
}
