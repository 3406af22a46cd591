package dispatch

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edge-agent/edge-agent/mesh"
)

// frail panics on the payload "bad" and records the rest.
func frail() *recorder {
	r := newRecorder()
	record := r.process
	r.process = func(ev *mesh.Event, out *mesh.Outputs) error {
		out.Emit(ev.Payload)
		if string(ev.Payload) == "bad" {
			panic("cannot bear it")
		}
		return record(ev, out)
	}
	return r
}

// revive replaces a crashed daemon each time, until no crash is left to come.
func (g *rig) revive(id mesh.DaemonID, instance func() mesh.Daemon, crashes int) []Crash {
	g.t.Helper()
	var all []Crash
	for i := range crashes {
		c := receive(g.t, g.crashes)
		all = append(all, c)
		head := c.Head
		head.Incarnation += uint32(i) + 1
		if err := g.Replace(g.t.Context(), id, instance(), head); err != nil {
			g.t.Fatal(err)
		}
	}
	return all
}

func TestPanicIsRetriedThenSetAside(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			other := newRecorder()
			r := frail()
			g.add(Spec{ID: "other", Daemon: other, Durability: durability, Bindings: on("in")})
			g.add(Spec{ID: "frail", Daemon: r, Durability: durability, Bindings: on("in")})
			var got acks
			for _, p := range []string{"1", "2", "bad", "3", "4"} {
				g.lane.Stage(&Input{Topic: "in", Payload: []byte(p), QoS: 1, Ack: &got})
			}
			g.lane.Flush()
			crashes := g.revive("frail", func() mesh.Daemon { return r }, 3)
			r.wait(t, 4)
			for i, c := range crashes {
				if c.Attempt != i+1 || c.Poison != (i == 2) || c.Stuck || !strings.Contains(c.Reason, "cannot bear it") ||
					!strings.Contains(string(c.Stack), "frail") {
					t.Errorf("crash %d: %+v", i, c)
				}
			}
			if diff := cmp.Diff([]string{"1", "2", "3", "4"}, r.payloads()); diff != "" {
				t.Error("the frail one: ", diff)
			}
			if diff := cmp.Diff([]string{"1", "2", "bad", "3", "4"}, other.payloads()); diff != "" {
				t.Error("the other one: ", diff)
			}
			g.settle()
			eventually(t, "all acknowledgements", func() bool { return got.n.Load() == 5 })
			s := g.of("frail")
			if s.Events != 4 || s.Crashes != 3 || s.Poisoned != 1 {
				t.Errorf("%+v", s)
			}
			if durability == Volatile {
				return
			}
			steps := g.journal.stepsOf("frail")
			if len(steps) != 5 || !steps[2].Poison || string(steps[2].Event.Payload) != "bad" || steps[2].Emitted != 0 {
				t.Errorf("steps: %+v", steps)
			}
			if head := steps[4].Head; head.Link.Sequence != 4 {
				t.Errorf("head after 4 outputs: %+v", head)
			}
		})
	}
}

func TestStrictDaemonsRetryForEver(t *testing.T) {
	g := newRig(t)
	r := frail()
	g.add(Spec{ID: "strict", Daemon: r, Bindings: on("in"), Strict: true})
	g.send("in", "bad", "next")
	for _, c := range g.revive("strict", func() mesh.Daemon { return r }, 6) {
		if c.Poison {
			t.Error("set aside")
		}
	}
	mended := newRecorder()
	receive(t, g.crashes)
	if err := g.Replace(t.Context(), "strict", mended, mesh.Head{}); err != nil {
		t.Fatal(err)
	}
	mended.wait(t, 2)
	if diff := cmp.Diff([]string{"bad", "next"}, mended.payloads()); diff != "" {
		t.Error(diff)
	}
}

func TestErrorDropsTheOutputsAndConsumesTheEvent(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			sink := newRecorder()
			g.add(Spec{ID: "sink", Daemon: sink, Durability: Volatile, Bindings: []Binding{{From: "picky"}}})
			g.add(Spec{
				ID: "picky", Durability: durability, Bindings: on("in"), Local: "o",
				Daemon: &scripted{process: func(ev *mesh.Event, out *mesh.Outputs) error {
					out.Emit(ev.Payload)
					switch string(ev.Payload) {
					case "refused":
						return fmt.Errorf("not that")
					case "too much":
						for range mesh.MaxOutputs {
							out.Emit(nil)
						}
					}
					return nil
				}},
			})
			g.send("in", "1", "refused", "too much", "2")
			events := sink.wait(t, 2)
			if diff := cmp.Diff([]string{"1", "2"}, sink.payloads()); diff != "" {
				t.Error(diff)
			}
			if events[1].Link.Sequence != 2 {
				t.Errorf("second output has sequence %d", events[1].Link.Sequence)
			}
			if s := g.of("picky"); s.Failed != 2 || s.Events != 4 || s.Outputs != 2 || s.LastError == "" {
				t.Errorf("%+v", s)
			}
			for i, step := range g.journal.stepsOf("picky") {
				if step.Failed != (i == 1 || i == 2) {
					t.Errorf("step %d: failed %t", i, step.Failed)
				}
			}
		})
	}
}

// stubborn does not return on the payload "stop" until it is released.
type stubborn struct {
	*recorder
	inside, release chan struct{}
}

func newStubborn() *stubborn {
	s := &stubborn{recorder: newRecorder(), inside: make(chan struct{}, 16), release: make(chan struct{})}
	record := s.process
	s.process = func(ev *mesh.Event, out *mesh.Outputs) error {
		if string(ev.Payload) == "stop" {
			s.inside <- struct{}{}
			<-s.release
			ev.Topic = "late" // what a late return does must not matter
			out.Emit([]byte("late"))
			return nil
		}
		return record(ev, out)
	}
	return s
}

func (g *rig) tick(n int) {
	for range n {
		g.ticks <- time.Time{}
	}
}

func TestCallThatDoesNotReturnLosesTheLoop(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			bad, good, sink := newStubborn(), newRecorder(), newRecorder()
			g.add(Spec{ID: "good", Daemon: good, Durability: durability, Bindings: on("in")})
			g.add(Spec{ID: "bad", Daemon: bad, Durability: durability, Bindings: on("in"), Local: "o"})
			g.add(Spec{ID: "sink", Daemon: sink, Durability: Volatile, Bindings: []Binding{{From: "bad"}}})
			for _, p := range []string{"1", "stop", "2", "3"} {
				g.lane.Stage(&Input{Topic: "in", Payload: []byte(p), QoS: 1, Ack: &acks{}})
			}
			g.lane.Flush()
			receive(t, bad.inside)
			g.tick(11)
			c := receive(t, g.crashes)
			if !c.Stuck || c.Daemon != "bad" || c.Reason != "stuck in Process" {
				t.Errorf("%+v", c)
			}
			good.wait(t, 4)
			g.tick(50)
			if id := receive(t, g.stuck); id != "bad" {
				t.Error("stuck: ", id)
			}
			close(bad.release)
			fresh := newRecorder()
			if err := g.Replace(t.Context(), "bad", fresh, c.Head); err != nil {
				t.Fatal(err)
			}
			g.send("in", "4")
			// The event that the volatile daemon was stuck in is gone with it; a durable one sees it again.
			want := map[Durability][]string{Volatile: {"2", "3", "4"}, Sync: {"stop", "2", "3", "4"}}[durability]
			fresh.wait(t, len(want))
			if diff := cmp.Diff(want, fresh.payloads()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"1"}, bad.payloads()); diff != "" {
				t.Error("the old instance: ", diff)
			}
			if len(sink.all()) > 0 {
				t.Error("an output of the late call was seen")
			}
		})
	}
}

func TestCallThatLastsButReturnsKeepsTheLoop(t *testing.T) {
	g := newRig(t)
	slow := newStubborn()
	g.add(Spec{ID: "slow", Daemon: slow, Durability: Volatile, Bindings: on("in")})
	for range 3 {
		g.send("in", "stop")
		receive(t, slow.inside)
		g.tick(9) // and the last one of the call before may be counted only now
		slow.release <- struct{}{}
	}
	g.send("in", "1")
	slow.wait(t, 1)
	if s := g.stats(); s.Abandoned != 0 {
		t.Errorf("%d calls abandoned", s.Abandoned)
	}
}

// TestLateReturnTouchesNothing lets calls return at the very moment at which the watchdog gives them up, many times
// over: whoever comes first has the loop, and the other one must not be noticed.
func TestLateReturnTouchesNothing(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			rounds := 200
			if os.Getenv("CI_LONG") != "" {
				rounds = 10_000
			}
			racer := func() mesh.Daemon {
				return &scripted{process: func(ev *mesh.Event, out *mesh.Outputs) error {
					if string(ev.Payload) == "race" {
						g.tick(11) // the watchdog is at the last one while this returns
					}
					out.Emit(ev.Payload)
					return nil
				}}
			}
			sink := newRecorder()
			g.add(Spec{ID: "sink", Daemon: sink, Durability: durability, Bindings: []Binding{{From: "racer"}}})
			g.add(Spec{ID: "racer", Daemon: racer(), Durability: durability, Bindings: on("in"), Local: "o"})
			crashes := 0
			for range rounds {
				g.send("in", "race")
				g.send("in", "calm")
				for {
					s := g.settle()
					if s.Daemons[1].Phase != Crashed {
						break
					}
					c := receive(t, g.crashes)
					if !c.Stuck || c.Daemon != "racer" {
						t.Fatalf("%+v", c)
					}
					crashes++
					c.Head.Incarnation++
					if err := g.Replace(t.Context(), "racer", racer(), c.Head); err != nil {
						t.Fatal(err)
					}
				}
			}
			s := g.settle()
			if int(s.Abandoned) != crashes {
				t.Errorf("%d calls abandoned, %d crashes", s.Abandoned, crashes)
			}
			t.Log(crashes, " of ", rounds, " calls were given up")
			for i, ev := range sink.all() {
				if ev.Link.Sequence != uint64(i)+1 {
					t.Fatalf("output %d has sequence %d", i, ev.Link.Sequence)
				}
			}
			if racer := s.Daemons[1]; racer.Outputs != uint64(len(sink.all())) || racer.Outputs != racer.Events {
				t.Errorf("%d outputs seen: %+v", len(sink.all()), racer)
			}
		})
	}
}
