package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edge-agent/edge-agent/mesh"
)

// counting is a daemon with everything a daemon can have. It counts its events by kind of trigger.
type counting struct {
	scripted
	State struct {
		Messages, Ticks, Results, Controls int
		Missed                             uint64
		Last                               string
	}
	heard      chan mesh.Control
	saturation float32
	health     mesh.Health
	snapshot   error
	work       chan struct{}
}

func newCounting() *counting {
	c := &counting{heard: make(chan mesh.Control, 64), work: make(chan struct{})}
	c.process = func(ev *mesh.Event, out *mesh.Outputs) error {
		switch ev.Trigger {
		case mesh.Tick:
			c.State.Ticks++
			c.State.Missed += ev.Missed
		case mesh.Result:
			c.State.Results++
			c.State.Last = string(ev.Payload) + ev.Failed
		default:
			c.State.Messages++
			if string(ev.Payload) == "defer" {
				out.Defer([]byte("work"))
			}
		}
		out.Emit(fmt.Appendf(nil, "%d", c.State.Messages))
		return nil
	}
	return c
}

func (c *counting) Snapshot() ([]byte, error) {
	state, err := json.Marshal(c.State)
	return state, errors.Join(err, c.snapshot)
}

func (c *counting) Restore(state []byte) error { return json.Unmarshal(state, &c.State) }
func (c *counting) Health() mesh.Health        { return c.health }
func (c *counting) Saturation() float32        { return c.saturation }

func (c *counting) OnControl(signal mesh.Control) {
	c.State.Controls++
	c.heard <- signal
}

func (c *counting) Work(ctx context.Context, task []byte) ([]byte, error) {
	select {
	case <-c.work:
		return append([]byte("done "), task...), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestControlIsStickyAndJournalled(t *testing.T) {
	g := newRig(t)
	d := newCounting()
	g.add(Spec{ID: "d", Daemon: d, Bindings: on("in"), Mode: Frozen})
	for i := range 100 {
		if err := g.Control("d", mesh.Control{Signal: mesh.BackpressureOn, Level: float32(i) / 100}); err != nil {
			t.Fatal(err)
		}
		g.Control("d", mesh.Control{Signal: mesh.Shutdown, Grace: time.Duration(i)})
	}
	g.Control("d", mesh.Control{Signal: mesh.DrainStart, Grace: 7})
	if err := g.Control("nobody", mesh.Control{}); !errors.Is(err, mesh.ErrNotFound) {
		t.Error(err)
	}
	g.stats()
	if len(d.heard) > 0 {
		t.Error("a frozen daemon heard something")
	}
	if err := g.SetMode(t.Context(), "d", Buffering); err != nil {
		t.Fatal(err)
	}
	want := []mesh.Control{
		{Signal: mesh.BackpressureOn, Level: 0.99}, {Signal: mesh.Shutdown, Grace: 99}, {Signal: mesh.DrainStart, Grace: 7},
	}
	for _, w := range want {
		if got := receive(t, d.heard); got != w {
			t.Errorf("heard %+v, want %+v", got, w)
		}
	}
	g.settle()
	for i, step := range g.journal.stepsOf("d") {
		if step.Control != want[i] || step.Emitted != 0 {
			t.Errorf("step %d: %+v", i, step)
		}
	}
}

func TestNewInstanceHearsOfBackpressureThatIsOn(t *testing.T) {
	g := newRig(t)
	d := newCounting()
	d.process = func(*mesh.Event, *mesh.Outputs) error { panic("x") }
	g.add(Spec{ID: "d", Daemon: d, Durability: Volatile, Bindings: on("in")})
	g.Control("d", mesh.Control{Signal: mesh.BackpressureOn, Level: 0.5})
	receive(t, d.heard)
	g.send("in", "x")
	c := receive(t, g.crashes)
	fresh := newCounting()
	if err := g.Replace(t.Context(), "d", fresh, c.Head); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, fresh.heard); got.Level != 0.5 {
		t.Errorf("heard %+v", got)
	}
}

func TestTimersTickByTheBootClockAndMakeNothingUp(t *testing.T) {
	g := newRig(t)
	r := newRecorder()
	g.add(Spec{ID: "d", Daemon: r, Durability: Volatile, Bindings: []Binding{{Every: int64(time.Second)}}})
	for i, step := range []struct {
		advance time.Duration
		ticks   int
		missed  uint64
	}{
		{999 * time.Millisecond, 0, 0}, {time.Millisecond, 1, 0}, {time.Second, 2, 0}, {10 * time.Second, 3, 9},
		{500 * time.Millisecond, 3, 0}, {500 * time.Millisecond, 4, 0},
	} {
		g.clock.advance(step.advance)
		events := r.wait(t, step.ticks)
		g.stats()
		if n := len(r.all()); n != step.ticks {
			t.Fatalf("step %d: %d ticks, want %d", i, n, step.ticks)
		}
		if step.ticks == 0 {
			continue
		}
		ev := events[step.ticks-1]
		if step.missed > 0 && ev.Missed != step.missed || ev.Link.Origin != mesh.TopicOrigin("timer:d") ||
			ev.Link.Sequence != uint64(step.ticks) || ev.Trigger != mesh.Tick {
			t.Errorf("step %d: %+v", i, ev)
		}
	}
}

func TestTicksOfADaemonThatCannotTakeThemAreCounted(t *testing.T) {
	g := newRig(t)
	r := newRecorder()
	g.add(Spec{
		ID: "d", Daemon: r, Durability: Volatile, Bindings: []Binding{{Every: int64(time.Second)}}, Mode: Frozen,
	})
	for range 5 {
		g.clock.advance(time.Second)
		g.stats()
	}
	if err := g.SetMode(t.Context(), "d", Live); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 1)
	g.clock.advance(time.Second)
	eventually(t, "every tick to be told of", func() bool {
		told := uint64(0)
		for _, ev := range r.all() {
			told += 1 + ev.Missed
		}
		return told == 6
	})
	if n := len(r.all()); n > 3 {
		t.Errorf("%d ticks were made up", n-2)
	}
}

func TestTicksMissedWhileNobodyRanTheDaemonComeWithTheFirst(t *testing.T) {
	g := newRig(t)
	r := newRecorder()
	ledger := ledgerOf("d")
	ledger.time = g.clock.Wall() - int64(10*time.Second)
	g.add(Spec{
		ID: "d", Daemon: r, Durability: Volatile, Ledger: ledger, Bindings: []Binding{{Every: int64(time.Second)}},
	})
	if first := r.wait(t, 1)[0]; first.Missed != 9 {
		t.Errorf("%+v", first)
	}
}

func TestEventTimeNeverGoesBack(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := newRecorder()
			ledger := ledgerOf("d")
			ledger.time = g.clock.Wall() + int64(10*365*24*time.Hour) // the wall clock was ten years ahead
			last, first := ledger.time, int64(0)
			g.add(Spec{ID: "d", Daemon: r, Durability: durability, Ledger: ledger, Bindings: on("in")})
			for i := range 20 {
				g.clock.wall.Add(int64([]time.Duration{-10 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour}[i%2]))
				g.clock.advance(time.Millisecond)
				g.send("in", "x")
				ev := r.wait(t, i+1)[i]
				if i == 0 {
					first = ev.Time
				}
				// One reading of the clock can serve two events, so that time may stand still; it follows the boot's clock.
				if ev.Time < last || ev.Time > first+int64(i+1)*int64(time.Millisecond) {
					t.Fatalf("event %d: %d after %d, the first at %d", i, ev.Time, last, first)
				}
				last = ev.Time
			}
		})
	}
}

func TestDeferredResultsComeBackAsEvents(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			d := newCounting()
			g.add(Spec{ID: "d", Daemon: d, Durability: durability, Bindings: on("in")})
			g.send("in", "defer", "defer", "plain")
			eventually(t, "the tasks", func() bool { s := g.of("d"); return s.Tasks == 2 && s.Events == 3 })
			close(d.work)
			eventually(t, "the results", func() bool { s := g.of("d"); return s.Tasks == 0 && s.Events == 5 })
			ledger, err := g.Remove(t.Context(), "d")
			if err != nil {
				t.Fatal(err)
			}
			if d.State.Results != 2 || d.State.Last != "done work" || len(ledger.Tasks()) != 0 {
				t.Errorf("%+v", d.State)
			}
			begun := 0
			for _, step := range g.journal.stepsOf("d") {
				begun += len(step.Tasks)
			}
			if want := map[Durability]int{Sync: 2}[durability]; begun != want {
				t.Errorf("%d tasks on record, want %d", begun, want)
			}
		})
	}
}

func TestUnfinishedTasksHoldInputsBackButNotResults(t *testing.T) {
	g := newRig(t)
	d := newCounting()
	g.add(Spec{ID: "d", Daemon: d, Durability: Volatile, Bindings: on("in")})
	for range maxTasks + 10 {
		g.send("in", "defer")
	}
	eventually(t, "the inbox to fill", func() bool { return g.of("d").Inbox == 10 })
	if s := g.of("d"); s.Tasks != maxTasks || s.Events != maxTasks {
		t.Errorf("%+v", s)
	}
	close(d.work)
	eventually(t, "all results", func() bool { s := g.of("d"); return s.Tasks == 0 && s.Events == 2*(maxTasks+10) })
}

func TestTasksOfTheLedgerAreStartedAgain(t *testing.T) {
	g := newRig(t)
	d := newCounting()
	close(d.work)
	ledger := NewLedger(mesh.Snapshot{
		Daemon: "d", Head: ledgerOf("d").Head(),
		Tasks: []mesh.Task{{Step: 3, Bytes: []byte("old")}, {Step: 3, Index: 1, Bytes: []byte("older")}},
	})
	g.add(Spec{ID: "d", Daemon: d, Ledger: ledger})
	eventually(t, "the results", func() bool { return g.of("d").Events == 2 })
}

func TestSnapshotsRideWithTheirStep(t *testing.T) {
	for name, c := range map[string]struct {
		policy SnapshotPolicy
		steps  []int // positions in the order of steps
	}{
		"every third": {SnapshotPolicy{Events: 3}, []int{3, 6, 9, 10}},
		"each":        {SnapshotPolicy{EveryStep: true}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10}},
		"at the end":  {SnapshotPolicy{}, []int{10}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			d := newCounting()
			g.add(Spec{ID: "d", Daemon: d, Kind: "counting", Schema: 7, Snapshot: c.policy, Bindings: on("in")})
			for range 10 {
				g.send("in", "x")
				g.settle()
			}
			if _, err := g.Remove(t.Context(), "d"); err != nil {
				t.Fatal(err)
			}
			steps := g.journal.stepsOf("d")
			var got []int
			for _, s := range g.journal.snapshots() {
				n := 0
				for n < len(steps) && steps[n].Position <= s.Position {
					n++
				}
				got = append(got, n)
				var state struct{ Messages int }
				if err := json.Unmarshal(s.State, &state); err != nil || state.Messages != n || s.Head != steps[n-1].Head ||
					s.Kind != "counting" || s.Schema != 7 || !s.Stateful {
					t.Errorf("snapshot after %d steps: %+v, %v", n, s, err)
				}
			}
			if diff := cmp.Diff(c.steps, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTimedSnapshotsNeedNoEvent(t *testing.T) {
	g := newRig(t)
	g.add(Spec{ID: "d", Daemon: newCounting(), Snapshot: SnapshotPolicy{Every: time.Minute}, Bindings: on("in")})
	for i := range 3 {
		g.send("in", "x")
		g.settle()
		g.clock.advance(time.Minute)
		eventually(t, "the snapshot", func() bool { return len(g.journal.snapshots()) == i+1 })
	}
	g.clock.advance(time.Minute)
	g.settle()
	if n := len(g.journal.snapshots()); n != 3 {
		t.Errorf("%d snapshots, want 3: nothing happened since", n)
	}
}

func TestSnapshotOnDemandSaysHowItWent(t *testing.T) {
	g := newRig(t)
	d := newCounting()
	g.add(Spec{ID: "d", Daemon: d, Bindings: on("in")})
	g.add(Spec{ID: "volatile", Daemon: newCounting(), Durability: Volatile})
	if err := g.Snapshot(t.Context(), "d"); err != nil || len(g.journal.snapshots()) != 1 {
		t.Error(err)
	}
	d.snapshot = errors.New("no ink")
	if err := g.Snapshot(t.Context(), "d"); !errors.Is(err, mesh.ErrSnapshot) || !errors.Is(err, d.snapshot) {
		t.Error(err)
	}
	if err := g.Snapshot(t.Context(), "volatile"); !errors.Is(err, mesh.ErrSnapshot) {
		t.Error(err)
	}
	if err := g.Snapshot(t.Context(), "nobody"); !errors.Is(err, mesh.ErrNotFound) {
		t.Error(err)
	}
}

func TestCallsAboveTheSoftBudgetAreCounted(t *testing.T) {
	for name, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			d := &scripted{process: func(ev *mesh.Event, _ *mesh.Outputs) error {
				if string(ev.Payload) == "slow" {
					g.clock.advance(2 * time.Millisecond)
				}
				return nil
			}}
			g.add(Spec{ID: "d", Daemon: d, Durability: durability, Bindings: on("in")})
			for i := range 40 {
				g.send("in", []string{"quick", "slow"}[i%2])
				g.settle()
			}
			if s := g.of("d"); s.Slow != 20 || s.Events != 40 || s.Process.Max < 2*time.Millisecond {
				t.Errorf("one by one: %+v", s)
			}
			for range 40 {
				g.send("in", "slow")
			}
			if s := g.settle().Daemons[0]; s.Slow < 40 {
				t.Errorf("in bursts: %+v", s)
			}
		})
	}
}

func TestPollClampsAndRefusesNonsense(t *testing.T) {
	g := newRig(t)
	d := newCounting()
	d.health = mesh.Health{Level: mesh.Degraded, Reason: "dusty"}
	g.add(Spec{ID: "d", Daemon: d, Durability: Volatile})
	for _, c := range []struct {
		says, want float32
		invalid    bool
	}{{0.5, 0.5, false}, {7, 1, false}, {-1, 0, false}, {float32(math.NaN()), 0, true}, {float32(math.Inf(1)), 1, false}} {
		d.saturation = c.says
		s, err := g.Poll(t.Context(), "d")
		if err != nil || s.Saturation != c.want || s.Invalid != c.invalid || s.Health != d.health {
			t.Errorf("%v: %+v, %v", c.says, s, err)
		}
	}
}

func TestPollEachLeavesOutWhomItCannotAsk(t *testing.T) {
	g := newRig(t)
	for i, id := range []mesh.DaemonID{"a", "b"} {
		d := newCounting()
		d.saturation = float32(i+1) / 4
		g.add(Spec{ID: id, Daemon: d, Durability: Volatile})
	}
	samples, err := g.PollEach(t.Context(), []mesh.DaemonID{"a", "nobody", "b"})
	if err != nil || len(samples) != 2 || samples["a"].Saturation != 0.25 || samples["b"].Saturation != 0.5 {
		t.Errorf("%+v, %v: want 0.25 of a and 0.5 of b", samples, err)
	}
}
