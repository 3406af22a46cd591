package meshtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// promises are what Run checks, in the order a person should read the failures.
var promises = [...]promise{
	{"the kind describes itself", describes},
	{"the events matter", matters},
	{"statefulness is told by the type", tellsState},
	{"the same events give the same outputs and state", replays},
	{"no input byte is kept after the call", keepsNoInput},
	{"a snapshot changes nothing and repeats", snapshotsQuietly},
	{"a restored daemon goes on as if nothing happened", goesOn},
	{"empty state is accepted, foreign state refused", refusesState},
	{"control is taken between any two events", takesControl},
	{"health and saturation are in range and quick", reportsHealth},
	{"hostile payloads are errors at most", survivesPayloads},
	{"hostile configurations are refused", refusesConfigs},
	{"deferred work may run twice", worksTwice},
}

func describes(p *proof) error {
	k := p.Kind
	if _, err := mesh.ParseDaemonID(k.Name); err != nil {
		return fmt.Errorf("name of the kind: %w", err)
	}
	if k.Version == "" || k.Summary == "" {
		return errors.New("version or summary is missing")
	}
	if k.Stateful && k.Schema == 0 {
		return errors.New("a stateful kind has a schema above 0")
	}
	for _, s := range k.Config {
		switch s.Type {
		case mesh.TypeNumber, mesh.TypeCount, mesh.TypeDuration, mesh.TypeText, mesh.TypeTexts, mesh.TypeBool:
		default:
			return fmt.Errorf("setting %s has the unknown type %q", s.Name, s.Type)
		}
		if s.Name == "" || s.Help == "" {
			return fmt.Errorf("setting %q has no help", s.Name)
		}
	}
	h, err := p.start(nil)
	if err != nil {
		return err
	}
	if h.daemon.Name() == "" {
		return errors.New("the daemon has no name")
	}
	h.daemon.Requirements()
	if placed, ok := h.daemon.(mesh.Placed); ok {
		placed.RequiredCapabilities()
		placed.OptionalCapabilities()
	}
	return nil
}

func matters(p *proof) error {
	h, state, err := p.whole(false)
	if err != nil {
		return err
	}
	emitted := 0
	for _, s := range h.steps {
		emitted += len(s.outputs)
	}
	if emitted == 0 {
		return errors.New("no event led to an output: such events prove nothing")
	}
	fresh, err := p.start(nil)
	if err != nil {
		return err
	}
	empty, err := fresh.state()
	if err == nil && p.Kind.Stateful && string(empty) == string(state) {
		err = errors.New("no event changed the state: such events prove nothing")
	}
	return err
}

func tellsState(p *proof) error {
	d, err := p.build(p.Config)
	if err != nil {
		return err
	}
	_, snapshots := d.(interface{ Snapshot() ([]byte, error) })
	_, restores := d.(interface{ Restore([]byte) error })
	if snapshots != restores {
		return fmt.Errorf("Snapshot is there: %t, Restore: %t; it takes both or neither", snapshots, restores)
	}
	if snapshots != p.Kind.Stateful {
		return fmt.Errorf("the kind says stateful: %t, its daemon: %t", p.Kind.Stateful, snapshots)
	}
	return nil
}

func replays(p *proof) error {
	first, stateA, err := p.whole(false)
	if err != nil {
		return err
	}
	for range 3 {
		second, stateB, err := p.whole(false)
		if err != nil {
			return err
		}
		if err := differ(first.steps, second.steps, stateA, stateB); err != nil {
			return err
		}
	}
	return nil
}

func keepsNoInput(p *proof) error {
	kept, stateA, err := p.whole(false)
	if err != nil {
		return err
	}
	lent, stateB, err := p.whole(true)
	if err != nil {
		return err
	}
	return differ(kept.steps, lent.steps, stateA, stateB)
}

func snapshotsQuietly(p *proof) error {
	plain, want, err := p.whole(false)
	if err != nil {
		return err
	}
	h, err := p.start(nil)
	if err != nil {
		return err
	}
	for _, ev := range p.Events {
		if err := h.process(ev); err != nil {
			return err
		}
		a, err := h.state()
		if err != nil {
			return err
		}
		b, err := h.state()
		if err != nil {
			return err
		}
		if string(a) != string(b) {
			return fmt.Errorf("two snapshots at one place: %x, then %x", clip(a), clip(b))
		}
	}
	got, err := h.state()
	if err != nil {
		return err
	}
	return differ(plain.steps, h.steps, want, got)
}

func goesOn(p *proof) error {
	whole, want, err := p.whole(false)
	if err != nil {
		return err
	}
	cuts := []int{0, len(p.Events)}
	for range 12 {
		cuts = append(cuts, p.random.IntN(len(p.Events)+1))
	}
	for _, cut := range cuts {
		before, err := p.start(nil)
		if err != nil {
			return err
		}
		if err := before.run(p.Events[:cut]); err != nil {
			return err
		}
		state, err := before.state()
		if err != nil {
			return err
		}
		after, err := p.start(state)
		if err != nil {
			return fmt.Errorf("cut at %d: %w", cut, err)
		}
		if !p.Kind.Stateful {
			continue
		}
		clear(state) // a daemon keeps no byte of what it was restored from
		after.tasks = before.tasks
		if err := after.run(p.Events[cut:]); err != nil {
			return fmt.Errorf("cut at %d: %w", cut, err)
		}
		got, err := after.state()
		if err != nil {
			return err
		}
		if err := differ(whole.steps[len(before.steps):], after.steps, want, got); err != nil {
			return fmt.Errorf("cut at %d: %w", cut, err)
		}
	}
	return nil
}

func refusesState(p *proof) error {
	for _, empty := range [][]byte{nil, {}} {
		if _, err := p.start(empty); err != nil {
			return fmt.Errorf("empty state: %w", err)
		}
	}
	if !p.Kind.Stateful {
		_, err := p.start([]byte("state"))
		var refused *mesh.RefusedState
		if !errors.As(err, &refused) || !errors.Is(err, mesh.ErrRestore) {
			return fmt.Errorf("state given to a stateless daemon: %v", err)
		}
		return nil
	}
	_, state, err := p.whole(false)
	if err != nil {
		return err
	}
	refused := 0
	for _, bad := range p.mutations(state, 300) {
		h, err := p.start(bad)
		if err != nil {
			refused++
			continue
		}
		if err := h.run(p.Events); err != nil {
			return fmt.Errorf("with the damaged state %x: %w", clip(bad), err)
		}
		if _, err := h.state(); err != nil {
			return fmt.Errorf("with the damaged state %x: %w", clip(bad), err)
		}
	}
	for _, bad := range [][]byte{state[:len(state)/2], append(state[:len(state):len(state)], 0)} {
		if _, err := p.start(bad); len(bad) > 0 && !errors.Is(err, mesh.ErrRestore) {
			return fmt.Errorf("state of %d bytes instead of %d: %v", len(bad), len(state), err)
		}
	}
	if refused == 0 {
		return errors.New("no damaged state was refused")
	}
	return nil
}

var controls = [...]mesh.Control{
	{Signal: mesh.BackpressureOn, Level: 0}, {Signal: mesh.BackpressureOn, Level: 1}, {Signal: mesh.BackpressureOff},
	{Signal: mesh.BackpressureOff}, {Signal: mesh.DrainStart}, {Signal: mesh.DrainFinish}, {Signal: mesh.DrainFinish},
	{Signal: mesh.DrainStart, Grace: time.Hour}, {Signal: mesh.Shutdown}, {Signal: mesh.Shutdown, Grace: time.Minute},
	{Signal: 200, Level: float32(math.NaN()), Grace: -1},
}

func takesControl(p *proof) error {
	run := func() (*host, []byte, error) {
		h, err := p.start(nil)
		if err != nil {
			return nil, nil, err
		}
		controlled, ok := h.daemon.(mesh.Controlled)
		for i, ev := range p.Events {
			if ok {
				controlled.OnControl(controls[i%len(controls)])
			}
			if err := h.process(ev); err != nil {
				return nil, nil, fmt.Errorf("event %d: %w", i, err)
			}
		}
		for _, control := range controls {
			if ok {
				controlled.OnControl(control)
			}
		}
		state, err := h.state()
		return h, state, err
	}
	first, stateA, err := run()
	if err != nil {
		return err
	}
	second, stateB, err := run()
	if err != nil {
		return err
	}
	return differ(first.steps, second.steps, stateA, stateB)
}

// slow is far above the microseconds that are promised: it catches waiting, not a busy machine.
const slow = 5 * time.Millisecond

func reportsHealth(p *proof) error {
	h, err := p.start(nil)
	if err != nil {
		return err
	}
	for i, ev := range append([]mesh.Event{{}}, p.Events...) {
		if i > 0 {
			if err := h.process(ev); err != nil {
				return err
			}
		}
		if reporter, ok := h.daemon.(mesh.HealthReporter); ok {
			health := reporter.Health()
			if health.Level > mesh.Unhealthy || health.Level != mesh.Healthy && health.Reason == "" {
				return fmt.Errorf("after event %d: health %d with the reason %q", i, health.Level, health.Reason)
			}
		}
		if reporter, ok := h.daemon.(mesh.SaturationReporter); ok {
			if s := reporter.Saturation(); !(s >= 0 && s <= 1) {
				return fmt.Errorf("after event %d: saturation %v: want 0 to 1", i, s)
			}
		}
	}
	const calls = 200
	began := time.Now()
	for range calls {
		if reporter, ok := h.daemon.(mesh.HealthReporter); ok {
			reporter.Health()
		}
		if reporter, ok := h.daemon.(mesh.SaturationReporter); ok {
			reporter.Saturation()
		}
	}
	if each := time.Since(began) / calls; each > slow {
		return fmt.Errorf("health and saturation take %v", each)
	}
	return nil
}

func worksTwice(p *proof) error {
	h, err := p.start(nil)
	if err != nil {
		return err
	}
	worker, ok := h.daemon.(mesh.Worker)
	if err := h.run(p.Events); err != nil {
		return err
	}
	for i, s := range h.steps {
		if len(s.tasks) > 0 && !ok {
			return fmt.Errorf("step %d deferred a task, but the daemon has no Work", i)
		}
		for _, task := range s.tasks {
			if err := workTwice(h, worker, task); err != nil {
				return fmt.Errorf("task of step %d: %w", i, err)
			}
		}
	}
	return nil
}

func workTwice(h *host, worker mesh.Worker, task string) error {
	before, err := h.state()
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := worker.Work(context.Background(), []byte(task)); err != nil && err.Error() == "" {
			return errors.New("Work gave an error without a text")
		}
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	worker.Work(stopped, []byte(task))
	after, err := h.state()
	if err == nil && string(before) != string(after) {
		err = errors.New("Work changed the state: only Process may")
	}
	if err != nil {
		return err
	}
	return h.process(mesh.Event{Trigger: mesh.Result, Failed: strings.Repeat("no ", 3), Time: math.MaxInt64})
}

// work does what a step deferred and delivers each result as an event.
func (h *host) work(ev mesh.Event, tasks []string) error {
	worker, ok := h.daemon.(mesh.Worker)
	const most = 10_000 // results that defer again without an end
	for _, task := range tasks {
		if !ok || h.tasks >= most {
			break
		}
		h.tasks++
		result := mesh.Event{
			Trigger: mesh.Result, Source: "task", ID: mesh.NumberID(uint64(h.tasks)), Time: ev.Time, Wall: ev.Wall,
		}
		payload, err := worker.Work(context.Background(), []byte(task))
		if result.Payload = payload; err != nil {
			result.Failed, result.Payload = err.Error(), nil
		}
		if err := h.process(result); err != nil {
			return err
		}
	}
	return nil
}
