package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edge-agent/edge-agent/mesh"
)

// numbers decodes payloads such as "7" or "7 again" into ids of one source.
func numbers(topic string, payload []byte, ev *mesh.Event) error {
	var n uint64
	if _, err := fmt.Sscan(string(payload), &n); err != nil {
		return err
	}
	ev.Source, ev.ID, ev.Payload = topic, mesh.NumberID(n), payload
	return nil
}

func TestFullInboxFollowsItsPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		durability Durability
		qos        byte
		max        Inbox
		want       []string
		check      func(s DaemonStats) bool
		gaps       int
		givens     int
	}{
		"quality 0 drops the oldest": {
			Sync, 0, Inbox{MaxEvents: 3}, []string{"7", "8", "9"},
			func(s DaemonStats) bool { return s.Dropped == 7 && s.Rejected == 0 }, 0, 0,
		},
		"volatile drops the oldest": {
			Volatile, 1, Inbox{MaxEvents: 3}, []string{"7", "8", "9"},
			func(s DaemonStats) bool { return s.Dropped == 7 && s.Rejected == 0 }, 0, 0,
		},
		"quality 1 is written": {
			Sync, 1, Inbox{MaxEvents: 3}, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
			func(s DaemonStats) bool { return s.Spilled == 10 && s.Rejected == 0 }, 0, 10,
		},
		"quality 1 is rejected beyond the bytes": {
			Sync, 1, Inbox{MaxEvents: 3, MaxBytes: 4 * 260}, []string{"0", "1", "2", "3"},
			func(s DaemonStats) bool { return s.Rejected == 6 && s.Dropped == 0 }, 6, 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := newRecorder()
			g.add(Spec{
				ID: "d", Daemon: r, Durability: c.durability, Inbox: c.max, Mode: Buffering, Bindings: on("in"),
			})
			var got acks
			for i := range 10 {
				in := Input{Topic: "in", Payload: []byte(fmt.Sprint(i)), QoS: c.qos}
				if c.qos > 0 {
					in.Ack = &got
				}
				g.post(in)
			}
			s := g.settle()
			if want := int32(10 * c.qos); got.n.Load() != want {
				t.Errorf("%d acknowledged, want %d", got.n.Load(), want)
			}
			if !c.check(s.Daemons[0]) {
				t.Errorf("%+v", s.Daemons[0])
			}
			if err := g.SetMode(t.Context(), "d", Live); err != nil {
				t.Fatal(err)
			}
			r.wait(t, len(c.want))
			if diff := cmp.Diff(c.want, r.payloads()); diff != "" {
				t.Error(diff)
			}
			if len(g.gaps) != c.gaps || len(g.journal.givensOf("d")) != c.givens {
				t.Errorf("%d gaps and %d givens, want %d and %d", len(g.gaps), len(g.journal.givensOf("d")), c.gaps, c.givens)
			}
			g.settle()
			named := 0
			for _, step := range g.journal.stepsOf("d") {
				if step.Given != 0 {
					named++
				}
			}
			if named != c.givens {
				t.Errorf("%d steps name a given, want %d", named, c.givens)
			}
		})
	}
}

func TestDurableDaemonsWaitForTheDiskWhileVolatileOnesRunOn(t *testing.T) {
	g := newRig(t)
	durable, volatile := newRecorder(), newRecorder()
	g.add(Spec{ID: "durable", Daemon: durable, Bindings: on("in")})
	g.add(Spec{ID: "volatile", Daemon: volatile, Durability: Volatile, Bindings: on("in")})
	g.journal.hold()
	var got acks
	for i := range 20 { // one group each
		g.post(Input{Topic: "in", Payload: []byte(fmt.Sprint(i)), QoS: 1, Ack: &got})
		volatile.wait(t, i+1)
	}
	if n := len(durable.all()); n != 8 {
		t.Errorf("%d events processed with 8 groups in flight", n)
	}
	if s := g.of("durable"); s.Inbox != 12 || got.n.Load() != 0 {
		t.Errorf("%d acknowledged, %+v", got.n.Load(), s)
	}
	g.journal.confirm(nil)
	durable.wait(t, 20)
	eventually(t, "the acknowledgements", func() bool { return got.n.Load() == 20 })
	if diff := cmp.Diff(volatile.payloads(), durable.payloads()); diff != "" {
		t.Error(diff)
	}
}

func TestFailedCommitStopsTheDurableDaemons(t *testing.T) {
	g := newRig(t)
	durable, volatile := newRecorder(), newRecorder()
	g.add(Spec{ID: "durable", Daemon: durable, Bindings: on("in")})
	g.add(Spec{ID: "volatile", Daemon: volatile, Durability: Volatile, Bindings: on("in")})
	g.journal.hold()
	var got acks
	for range 3 {
		g.post(Input{Topic: "in", QoS: 1, Ack: &got})
		volatile.wait(t, 1)
	}
	broken := errors.New("disk on fire")
	g.journal.confirm(broken)
	if err := receive(t, g.failed); !errors.Is(err, broken) {
		t.Error(err)
	}
	g.post(Input{Topic: "in", QoS: 1, Ack: &got})
	volatile.wait(t, 4)
	if n := len(durable.all()); n > 3 || got.n.Load() != 0 {
		t.Errorf("%d processed, %d acknowledged", n, got.n.Load())
	}
	if s := g.of("durable"); s.Phase != Failed {
		t.Errorf("%+v", s)
	}
	g.journal.confirm(nil)
	if _, err := g.Remove(t.Context(), "durable"); err != nil {
		t.Fatal(err)
	}
	fresh := newRecorder()
	g.add(Spec{ID: "durable", Daemon: fresh, Bindings: on("in")})
	g.post(Input{Topic: "in", QoS: 1, Ack: &got})
	fresh.wait(t, 1)
	eventually(t, "the acknowledgement", func() bool { return got.n.Load() == 1 })
	if len(g.failed) > 0 {
		t.Error("failed again")
	}
}

func TestRepeatsAreCountedAndShareTheFateOfTheFirst(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := newRecorder()
			b := []Binding{{Filter: "in", Decode: numbers}}
			g.add(Spec{ID: "d", Daemon: r, Durability: durability, Bindings: b, Mode: Frozen})
			g.journal.hold()
			var got acks
			say := func(payloads ...string) {
				for _, p := range payloads {
					g.post(Input{Topic: "in", Payload: []byte(p), QoS: 1, Ack: &got})
				}
			}
			say("1", "2", "1 again", "no number")
			eventually(t, "the last of the inputs", func() bool { return g.of("d").Undecoded == 1 })
			if durability == Sync {
				eventually(t, "the acknowledgement of what cannot be understood", func() bool { return got.n.Load() > 0 })
				if n := got.n.Load(); n != 1 {
					t.Errorf("%d acknowledged before anything was on disk", n)
				}
			}
			if err := g.SetMode(t.Context(), "d", Live); err != nil {
				t.Fatal(err)
			}
			g.journal.confirm(nil)
			say("2 again", "3")
			r.wait(t, 3)
			if diff := cmp.Diff([]string{"1", "2", "3"}, r.payloads()); diff != "" {
				t.Error(diff)
			}
			eventually(t, "the acknowledgements", func() bool { return got.n.Load() == 6 })
			if s := g.of("d"); s.Duplicate != 2 || s.Undecoded != 1 || s.Events != 3 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestForgottenSourcesAreCounted(t *testing.T) {
	g := newRig(t)
	bySource := func(_ string, payload []byte, ev *mesh.Event) error {
		ev.Source, ev.ID, ev.Payload = string(payload), mesh.NumberID(1), payload
		return nil
	}
	r := newRecorder()
	g.add(Spec{ID: "d", Daemon: r, Durability: Volatile, Bindings: []Binding{{Filter: "in", Decode: bySource}}})
	for i := range mesh.MaxSources + 3 {
		g.send("in", strconv.Itoa(i))
		if i%50 == 0 {
			r.wait(t, i+1) // so that the inbox does not fill
		}
	}
	r.wait(t, mesh.MaxSources+3)
	if s := g.settle().Daemons[0]; s.Forgotten != 3 {
		t.Errorf("%d sources forgotten, want 3", s.Forgotten)
	}
}

func TestCarefulModeWritesInputsBeforeTheyAreProcessed(t *testing.T) {
	g := newRig(t)
	r := newRecorder()
	given := func(attempt uint32, payload string) mesh.Given {
		return mesh.Given{
			Position: mesh.Position(100 + attempt), Daemon: "d", Attempt: attempt,
			Event: mesh.Event{Topic: "in", Payload: []byte(payload)},
		}
	}
	g.journal.hold()
	g.add(Spec{
		ID: "d", Daemon: r, Bindings: on("in"), Careful: true,
		Givens: []mesh.Given{given(0, "new"), given(2, "tried twice"), given(3, "deadly")},
	})
	g.post(Input{Topic: "in", Payload: []byte("fresh"), QoS: 1, Ack: &acks{}})
	record := func() (written []string) {
		for _, given := range g.journal.givensOf("d") {
			written = append(written, fmt.Sprint(string(given.Event.Payload), " ", given.Attempt))
		}
		return written
	}
	eventually(t, "the first try on record", func() bool { return len(record()) == 1 })
	if n := len(r.all()); n != 0 {
		t.Errorf("%d processed before they were on disk", n)
	}
	g.journal.confirm(nil)
	r.wait(t, 3)
	g.settle()
	if diff := cmp.Diff([]string{"new", "tried twice", "fresh"}, r.payloads()); diff != "" {
		t.Error(diff)
	}
	poison := slices.DeleteFunc(g.journal.stepsOf("d"), func(s mesh.Step) bool { return !s.Poison })
	if len(poison) != 1 || poison[0].Given != 103 || string(poison[0].Event.Payload) != "deadly" {
		t.Errorf("%+v", poison)
	}
	g.clock.advance(2 * time.Minute)
	g.post(Input{Topic: "in", Payload: []byte("late"), QoS: 1, Ack: &acks{}})
	r.wait(t, 4)
	// What merely waits is not tried, and is left to the broker until then.
	want := []string{"fresh 1", "new 1", "tried twice 3"}
	if got := slices.Sorted(slices.Values(record())); !slices.Equal(got, want) {
		t.Errorf("on record are %q, want %q", got, want)
	}
}
