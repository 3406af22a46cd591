package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/test/faults/lossy"
)

var modes = []lossy.Mode{lossy.Drop, lossy.Reorder, lossy.Torn}

func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	for i, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			d := newLossy()
			r := newRig(t, d)
			r.launch()
			r.ready()
			r.running("together", together)
			r.running("apart", apart)
			events := &source{p: r.peer}
			stop := events.stream()
			random := rand.New(rand.NewPCG(uint64(i), 3))
			cuts := rounds(100)
			for range cuts {
				c := lossy.Cut{Mode: mode, Seed: random.Uint64(), After: d.Ops() + 1 + random.IntN(150)}
				cut := d.CutAt(c)
				select {
				case <-cut:
				case <-time.After(patience):
					t.Fatalf("%s: the agent does not get there", c)
				}
				r.power()
				if random.IntN(3) > 0 { // else the next cut may come while it starts
					r.ready()
				}
			}
			r.ready()
			stop()
			r.judge(events)
			if beside, err := os.ReadDir(filepath.Join(r.dir, "snapshots")); err != nil || len(beside) == 0 {
				t.Errorf("no snapshot was kept in a file of its own: %v", err)
			}
			t.Logf("%d cuts, %d events", cuts, events.sent)
		})
	}
}

var durable = []mesh.DaemonID{"together", "apart"}

// drained waits until both durable daemons have counted everything that was not set aside.
func (r *rig) drained(sent int) {
	r.t.Helper()
	for _, id := range durable {
		want := uint64(sent - len(r.aside(id)))
		r.until(fmt.Sprintf("%s to count %d events", id, want), func() bool { return r.newest(id) >= want })
	}
}

// judge waits until both durable daemons have counted everything, and looks whether they did so once.
func (r *rig) judge(events *source) {
	r.t.Helper()
	r.drained(events.sent)
	for _, id := range durable {
		aside := r.aside(id)
		if err := r.verdict(id, events.sent, aside); err != nil {
			r.t.Error(err)
		}
		if len(aside) > 0 {
			r.t.Logf("%s: the power was cut three times over %d events, which are listed as poison", id, len(aside))
		}
	}
}

// aside are the numbers of the events that the agent lists as poison: whoever is killed three times over one event has
// to take it for the cause. They are not lost, and must not be counted.
func (r *rig) aside(id mesh.DaemonID) (numbers []int) {
	r.t.Helper()
	var list []struct {
		Daemon  mesh.DaemonID
		Payload []byte
	}
	r.until("the list of poison", func() bool { // it is on the disk too
		status, err := r.get("/poison", &list)
		return err == nil && status == http.StatusOK
	})
	for _, p := range list {
		var event struct{ Seq int }
		if err := json.Unmarshal(p.Payload, &event); err != nil {
			r.t.Fatal(err)
		}
		if p.Daemon == id {
			numbers = append(numbers, event.Seq)
		}
	}
	return numbers
}
