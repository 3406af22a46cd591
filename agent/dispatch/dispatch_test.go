package dispatch

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edge-agent/edge-agent/mesh"
)

func on(filter string) []Binding { return []Binding{{Filter: filter}} }

func TestInputsReachTheDaemonsBoundToThemInOrder(t *testing.T) {
	g := newRig(t)
	all, one, durable := newRecorder(), newRecorder(), newRecorder()
	g.add(Spec{ID: "all", Daemon: all, Durability: Volatile, Bindings: on("plant/#")})
	g.add(Spec{ID: "one", Daemon: one, Durability: Volatile, Bindings: on("plant/+/t")})
	g.add(Spec{ID: "durable", Daemon: durable, Bindings: on("plant/b/t")})
	var want, wantOne, wantDurable []string
	for i := range 500 {
		topic := [...]string{"plant/a/t", "plant/b/t", "plant/a/p", "other"}[i%4]
		g.send(topic, fmt.Sprint(i))
		switch i % 4 {
		case 1:
			wantDurable = append(wantDurable, fmt.Sprint(i))
			fallthrough
		case 0:
			wantOne = append(wantOne, fmt.Sprint(i))
			fallthrough
		case 2:
			want = append(want, fmt.Sprint(i))
		}
	}
	s := g.settle()
	for name, c := range map[string]struct {
		got  *recorder
		want []string
	}{"all": {all, want}, "one": {one, wantOne}, "durable": {durable, wantDurable}} {
		if diff := cmp.Diff(c.want, c.got.payloads()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if s.Unmatched != 125 {
		t.Errorf("%d inputs unmatched, want 125", s.Unmatched)
	}
	if got := len(g.journal.stepsOf("durable")); got != len(wantDurable) {
		t.Errorf("%d steps, want %d", got, len(wantDurable))
	}
}

func TestRawInputsAreNumberedByAcceptance(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := newRecorder()
			g.add(Spec{ID: "d", Daemon: r, Durability: durability, Bindings: []Binding{{Filter: "a/+"}, {Filter: "b"}}})
			g.send("a/1", "x")
			g.send("b", "x")
			g.send("a/2", "x")
			var got []mesh.Link
			for _, ev := range r.wait(t, 3) {
				got = append(got, ev.Link)
			}
			a, b := mesh.TopicOrigin("a/+"), mesh.TopicOrigin("b")
			want := []mesh.Link{{Origin: a, Sequence: 1}, {Origin: b, Sequence: 1}, {Origin: a, Sequence: 2}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInputsAreAcknowledgedWhenEveryDurableDaemonHasThem(t *testing.T) {
	g := newRig(t)
	g.add(Spec{ID: "volatile", Daemon: newRecorder(), Durability: Volatile, Bindings: on("#")})
	g.add(Spec{ID: "one", Daemon: newRecorder(), Bindings: on("both")})
	g.add(Spec{ID: "two", Daemon: newRecorder(), Durability: Window, Window: 1000, Bindings: on("both")})
	g.journal.hold()
	var both, none, unclaimed acks
	g.post(Input{Topic: "both", QoS: 1, Ack: &both})
	g.post(Input{Topic: "none", QoS: 1, Ack: &none})
	g.post(Input{Topic: "x/y", QoS: 1, Ack: &unclaimed})
	eventually(t, "the acknowledgement nobody must wait for", func() bool { return unclaimed.n.Load() == 1 })
	if both.n.Load() != 0 {
		t.Error("acknowledged before it was on disk")
	}
	g.journal.confirm(nil)
	eventually(t, "the acknowledgement", func() bool { return both.n.Load() == 1 && none.n.Load() == 1 })
}

func TestOutputsFormAChainAndReachLocalDaemons(t *testing.T) {
	for name, c := range map[string]struct{ first, second Durability }{
		"volatile to volatile": {Volatile, Volatile},
		"volatile to durable":  {Volatile, Sync},
		"durable to volatile":  {Sync, Volatile},
		"durable to durable":   {Sync, Sync},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			sink := newRecorder()
			producer := &scripted{process: echo}
			g.add(Spec{ID: "sink", Daemon: sink, Durability: c.second, Bindings: []Binding{{From: "echo"}}})
			g.add(Spec{
				ID: "echo", Daemon: producer, Durability: c.first, Bindings: on("in"), Local: "o/echo/out",
				Sends: []mesh.Send{{Topic: "o/echo/out"}, {Topic: "kept", QoS: 1}},
			})
			const n = 300
			for i := range n {
				g.send("in", fmt.Sprint(i))
			}
			events := sink.wait(t, n)
			chain := mesh.NewChain(mesh.OriginOf("test", "echo"), 1, 0)
			var horizon mesh.Horizon
			horizon = horizon.Add(mesh.TopicOrigin("in"))
			for i, ev := range events {
				want := chain.Append([]byte(fmt.Sprint(i)), horizon)
				if ev.Link != want || ev.Daemon != "echo" || ev.Topic != "o/echo/out" || string(ev.Payload) != fmt.Sprint(i) {
					t.Fatalf("output %d: %+v, want link %+v", i, ev, want)
				}
			}
			g.settle()
			sends := n
			if c.first == Volatile {
				sends = 2 * n // all of them, since none has a record
			}
			eventually(t, "the publications", func() bool { return len(g.published()) == sends })
			outs := 0
			for _, step := range g.journal.stepsOf("echo") {
				for _, out := range step.Outs {
					if len(out.Sends) != 1 || out.Sends[0].Topic != "kept" {
						t.Fatalf("sends of a record: %+v", out.Sends)
					}
					outs++
				}
			}
			if want := map[bool]int{true: n, false: 0}[c.first == Sync]; outs != want {
				t.Errorf("%d outputs on record, want %d", outs, want)
			}
			if c.first == Sync && c.second == Sync {
				for i, step := range g.journal.stepsOf("sink") {
					if step.At == 0 || len(step.Event.Payload) != 0 {
						t.Fatalf("step %d of the sink holds a copy: %+v", i, step)
					}
				}
			}
		})
	}
}

func TestNothingOfADurableDaemonLeavesBeforeItIsOnDisk(t *testing.T) {
	g := newRig(t)
	sink := newRecorder()
	g.add(Spec{
		ID: "echo", Daemon: &scripted{process: echo}, Bindings: on("in"), Local: "o", Sends: []mesh.Send{{Topic: "o"}},
	})
	g.add(Spec{ID: "sink", Daemon: sink, Durability: Volatile, Bindings: []Binding{{From: "echo"}}})
	g.journal.hold()
	g.send("in", "x")
	eventually(t, "the step", func() bool { return len(g.journal.stepsOf("echo")) == 1 })
	g.stats()
	if len(sink.all()) != 0 || len(g.published()) != 0 {
		t.Error("an output left before it was on disk")
	}
	g.journal.confirm(nil)
	sink.wait(t, 1)
	eventually(t, "the publication", func() bool { return len(g.published()) == 1 })
}

func TestPositionsAreUniqueAndRise(t *testing.T) {
	g := newRig(t)
	g.add(Spec{ID: "a", Daemon: &scripted{process: echo}, Bindings: on("in"), Local: "o"})
	g.add(Spec{ID: "b", Daemon: newRecorder(), Bindings: []Binding{{From: "a"}}})
	for range 100 {
		g.send("in", "x")
	}
	eventually(t, "the steps", func() bool { return len(g.journal.stepsOf("b")) == 100 })
	var all []mesh.Position
	g.journal.mu.Lock()
	for _, s := range g.journal.steps {
		all = append(all, s.Position)
		for _, out := range s.Outs {
			all = append(all, out.Position)
		}
	}
	for _, given := range g.journal.givens {
		all = append(all, given.Position)
	}
	g.journal.mu.Unlock()
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) || all[0] != 1 {
		t.Errorf("%d positions of %d are unique, the first is %d", n, len(all), all[0])
	}
}
