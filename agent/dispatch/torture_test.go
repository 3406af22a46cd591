package dispatch

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// slowJournal confirms groups from a goroutine of its own, a few at a time.
type slowJournal struct {
	memory
	groups chan *mesh.Group
}

func (j *slowJournal) Commit(g *mesh.Group) { j.groups <- g }

func (j *slowJournal) run() {
	for g := range j.groups {
		j.memory.Commit(g)
	}
}

// TestManyProducersOneLoop has producers with and without lanes, volatile and durable daemons, chains between them, and
// daemons that come and go, all at once: what was taken is processed once, in the order of its producer.
func TestManyProducersOneLoop(t *testing.T) {
	const producers, each = 4, 1000
	j := &slowJournal{groups: make(chan *mesh.Group, 16)}
	go j.run()
	h := New(Options{Journal: j, Ticks: make(chan time.Time)}) // a busy machine must not look stuck
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	type key struct{ producer, daemon int }
	last := map[key]int{} // the loop's alone until it has ended
	order := func(daemon int) func(*mesh.Event, *mesh.Outputs) error {
		return func(ev *mesh.Event, out *mesh.Outputs) error {
			var producer, n int
			if _, err := fmt.Sscanf(string(ev.Payload), "%d %d", &producer, &n); err != nil {
				return err
			}
			if k := (key{producer, daemon}); n != last[k] {
				t.Errorf("daemon %d got input %d of producer %d, want %d", daemon, n, producer, last[k])
			} else {
				last[k]++
			}
			out.Emit(ev.Payload)
			return nil
		}
	}
	add := func(s Spec) {
		s.Ledger = ledgerOf(s.ID)
		if err := h.Add(ctx, s); err != nil {
			t.Error(err)
		}
	}
	// In each chain the first daemon takes what is posted, the others what the one before emits.
	chains := [][]Durability{{Volatile, Volatile, Volatile}, {Sync, Sync, Volatile}, {Volatile, Window, Sync}}
	daemons := 0
	for i, chain := range chains {
		for k, durability := range chain {
			s := Spec{
				ID: mesh.DaemonID(fmt.Sprintf("d%d-%d", i, k)), Daemon: &scripted{process: order(daemons)}, Local: "o",
				Durability: durability, Window: time.Millisecond, Bindings: on("in"),
				Inbox: Inbox{MaxEvents: producers * each},
			}
			if k > 0 {
				s.Bindings = []Binding{{From: mesh.DaemonID(fmt.Sprintf("d%d-%d", i, k-1))}}
			}
			add(s)
			daemons++
		}
	}
	var got acks
	var posting sync.WaitGroup
	for p := range producers {
		post := h.Post
		if p > 0 {
			post = h.Lane(fmt.Sprint("producer ", p), 1<<p).Post
		}
		posting.Go(func() {
			for n := range each {
				in := Input{Topic: "in", Payload: fmt.Appendf(nil, "%d %d", p, n), QoS: 1, Ack: &got}
				eventually(t, "room", func() bool { return post(&in) })
			}
		})
	}
	posting.Go(func() { // a guest
		for range 50 {
			add(Spec{ID: "guest", Daemon: newCounting(), Bindings: on("#")})
			if _, err := h.Remove(ctx, "guest"); err != nil {
				t.Error(err)
			}
		}
	})
	posting.Wait()
	eventually(t, "every daemon to be done", func() bool {
		s, err := h.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Daemons {
			if d.Events != producers*each {
				return false
			}
		}
		return s.InFlight == 0 && got.n.Load() == producers*each
	})
	cancel()
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
	close(j.groups)
	for k, n := range last {
		if n != each {
			t.Errorf("%+v: %d inputs", k, n)
		}
	}
}

func TestLoopOfDaemonsLeavesRoomForTheRest(t *testing.T) {
	for name, copies := range map[string]int{"steady": 1, "growing": 3} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			again := &scripted{process: func(ev *mesh.Event, out *mesh.Outputs) error {
				for range copies {
					out.Emit(ev.Payload)
				}
				return nil
			}}
			begin := []Binding{{Filter: "start"}, {From: "b"}}
			g.add(Spec{ID: "a", Daemon: again, Durability: Volatile, Local: "o", Bindings: begin})
			g.add(Spec{ID: "b", Daemon: again, Durability: Volatile, Local: "o", Bindings: []Binding{{From: "a"}}})
			r := newRecorder()
			g.add(Spec{ID: "rest", Daemon: r, Bindings: on("in")})
			g.send("start", "x")
			var got acks
			for range 20 {
				g.post(Input{Topic: "in", QoS: 1, Ack: &got})
			}
			r.wait(t, 20)
			eventually(t, "the acknowledgements", func() bool { return got.n.Load() == 20 })
			if copies > 1 {
				eventually(t, "the bound", func() bool { return g.of("a").Dropped > 0 })
			}
			for _, id := range []mesh.DaemonID{"a", "b"} {
				if _, err := g.Remove(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
