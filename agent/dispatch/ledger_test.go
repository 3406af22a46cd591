package dispatch

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
)

// TestReplayGoesWhereLifeWent runs a daemon through all that can be journalled, with snapshots on the way, and compares
// what replay makes of one of them with what life made of the daemon.
func TestReplayGoesWhereLifeWent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := newRig(t)
		defer g.end()
		d := newCounting()
		close(d.work)
		d.heard = make(chan mesh.Control, 1000)
		process := d.process
		d.process = func(ev *mesh.Event, out *mesh.Outputs) error {
			if err := process(ev, out); err != nil || string(ev.Payload) == "refused" {
				return errors.New("refused")
			}
			return nil
		}
		g.add(Spec{ID: "d", Daemon: d, Kind: "counting", Snapshot: SnapshotPolicy{}, Bindings: []Binding{
			{Filter: "raw/#"}, {Filter: "number/#", Decode: numbers}, {Every: int64(time.Second)},
		}})
		for range rapid.IntRange(1, 40).Draw(rt, "length") {
			switch rapid.IntRange(0, 7).Draw(rt, "what") {
			case 0, 1:
				topic := rapid.SampledFrom([]string{"raw/a", "raw/b"}).Draw(rt, "topic")
				payload := rapid.SampledFrom([]string{"x", "y", "defer", "refused"}).Draw(rt, "payload")
				g.post(Input{Topic: topic, Payload: []byte(payload), Retained: rapid.Bool().Draw(rt, "retained")})
			case 2, 3:
				n := rapid.IntRange(0, 9).Draw(rt, "number")
				g.post(Input{Topic: "number/a", Payload: fmt.Append(nil, n)})
			case 4:
				g.clock.advance(700 * time.Millisecond)
			case 5:
				g.Control("d", mesh.Control{Signal: mesh.BackpressureOn, Level: 0.5})
			case 6:
				g.settle()
			case 7:
				if err := g.Snapshot(t.Context(), "d"); err != nil {
					rt.Fatal(err)
				}
			}
		}
		eventually(t, "the tasks to end", func() bool { s := g.settle(); return s.Daemons[0].Tasks == 0 })
		if _, err := g.Remove(t.Context(), "d"); err != nil {
			rt.Fatal(err)
		}
		snapshots := g.journal.snapshots()
		last := snapshots[len(snapshots)-1]
		from := rapid.SampledFrom(append(snapshots, mesh.Snapshot{Daemon: "d", Head: ledgerOf("d").Head()})).Draw(rt, "from")
		again := newCounting()
		again.heard = make(chan mesh.Control, 1000)
		if len(from.State) > 0 {
			if err := again.Restore(from.State); err != nil {
				rt.Fatal(err)
			}
		}
		ledger := NewLedger(from)
		again.process, process = d.process, again.process
		for _, step := range g.journal.stepsOf("d") {
			if step.Position <= from.Position {
				continue
			}
			if err := ledger.Replay(&step, again); err != nil {
				rt.Fatal(err)
			}
		}
		got := ledger.Snapshot()
		got.Kind, got.Stateful = last.Kind, true
		// Life also counts what it accepted and then dropped.
		last.Accepted, got.Accepted = nil, nil
		if diff := cmp.Diff(last, got, cmpopts.IgnoreFields(mesh.Snapshot{}, "State"), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatal(diff)
		}
		if diff := cmp.Diff(d.State, again.State); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestReplayTellsWhatWentDifferently(t *testing.T) {
	step := mesh.Step{
		Position: 9, Daemon: "d", Emitted: 1, Event: mesh.Event{Topic: "t", Payload: []byte("x")},
		Head: mesh.Head{Link: mesh.Link{Sequence: 1}, Next: 77},
	}
	for name, c := range map[string]struct {
		process func(ev *mesh.Event, out *mesh.Outputs) error
		want    error
	}{
		"the same": {echo, nil},
		"nothing":  {nil, ErrNondeterministic},
		"an error": {func(*mesh.Event, *mesh.Outputs) error { return errors.New("no") }, ErrNondeterministic},
		"a panic":  {func(*mesh.Event, *mesh.Outputs) error { panic("no") }, mesh.ErrProcess},
		"too much": {func(_ *mesh.Event, out *mesh.Outputs) error {
			out.Emit(make([]byte, mesh.MaxPayload+1))
			return nil
		}, ErrNondeterministic},
	} {
		t.Run(name, func(t *testing.T) {
			l := ledgerOf("d")
			err := l.Replay(&step, &scripted{process: c.process})
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Error(err)
			}
			if l.Position() != 9 || c.want != mesh.ErrProcess && l.Head() != step.Head {
				t.Errorf("position %d, head %+v", l.Position(), l.Head())
			}
		})
	}
}

func TestRemoveLeavesWaitingInputsOnRecord(t *testing.T) {
	g := newRig(t)
	g.add(Spec{ID: "producer", Daemon: &scripted{process: echo}, Bindings: on("local"), Local: "o"})
	d := newCounting()
	g.add(Spec{ID: "d", Daemon: d, Mode: Buffering, Bindings: []Binding{{Filter: "in"}, {From: "producer"}}})
	var got acks
	for i := range 5 {
		g.post(Input{Topic: "in", Payload: fmt.Append(nil, i), QoS: 1, Ack: &got})
	}
	g.send("local", "from memory")
	g.post(Input{Topic: "in", Payload: []byte("lossy")})
	g.settle()
	if _, err := g.Remove(t.Context(), "d"); err != nil {
		t.Fatal(err)
	}
	givens := g.journal.givensOf("d")
	if len(givens) != 6 || givens[5].At == 0 && givens[0].At == 0 || got.n.Load() != 5 {
		t.Errorf("%d acknowledged, %+v", got.n.Load(), givens)
	}
	r := newRecorder()
	for i := range givens { // as the store gives them back
		if givens[i].At != 0 {
			givens[i].Event.Payload = []byte("from memory")
		}
	}
	g.add(Spec{ID: "d", Daemon: r, Givens: givens, Bindings: on("in")})
	g.send("in", "new")
	r.wait(t, 7)
	if diff := cmp.Diff("new", r.payloads()[6]); diff != "" {
		t.Error(diff)
	}
}

func TestOutputForADurableDaemonIsNeverOnRecordAlone(t *testing.T) {
	g := newRig(t)
	g.add(Spec{ID: "sink", Daemon: newRecorder(), Mode: Buffering, Bindings: []Binding{{From: "producer"}}})
	g.add(Spec{ID: "producer", Daemon: &scripted{process: echo}, Bindings: on("in"), Local: "o"})
	g.journal.hold()
	g.send("in", "x")
	eventually(t, "the step", func() bool { return len(g.journal.stepsOf("producer")) == 1 })
	out := g.journal.stepsOf("producer")[0].Outs[0]
	if givens := g.journal.givensOf("sink"); len(givens) != 1 || givens[0].At != out.Position {
		t.Errorf("%+v", givens)
	}
}
