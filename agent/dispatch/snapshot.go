package dispatch

import (
	"fmt"

	"github.com/edge-agent/edge-agent/mesh"
)

// snapshotDue says that the policy asks for a snapshot after the step just recorded.
func (d *daemon) snapshotDue(now int64) bool {
	p := &d.Spec.Snapshot
	return p.EveryStep || p.Events > 0 && d.steps >= p.Events || p.Every > 0 && now-d.snapped >= int64(p.Every)
}

// snapshot puts a snapshot of a durable daemon into the group in hand, which there is.
func (l *loop) snapshot(r *runner, d *daemon) error {
	d.steps, d.snapped = 0, l.now
	state, stateful, err := l.stateOf(r, d)
	if err == nil && len(state) > MaxState {
		err = fmt.Errorf("state of %d bytes, above %d: %w", len(state), MaxState, mesh.ErrTooLarge)
	}
	position := d.ledger.Position()
	if err != nil {
		err = &mesh.Error{Daemon: d.ID, Kind: mesh.ErrSnapshot, Cause: err}
		d.tally.LastError = err.Error()
		l.snapped(d, position, err)
		return err
	}
	s := d.ledger.Snapshot()
	s.Kind, s.Schema, s.Stateful, s.State = d.Kind, d.Schema, stateful, state
	g := l.group
	g.Snapshots = append(g.Snapshots, s)
	d.touch(l)
	if l.o.Hooks.Snapped != nil {
		g.then = append(g.then, func(err error) { l.snapped(d, position, err) })
	}
	return nil
}

func (l *loop) snapped(d *daemon, position mesh.Position, err error) {
	if l.o.Hooks.Snapped != nil {
		l.o.Hooks.Snapped(d.ID, position, err)
	}
}

func (l *loop) stateOf(r *runner, d *daemon) (state []byte, stateful bool, err error) {
	s, ok := d.impl.(mesh.Stateful)
	if !ok {
		return nil, false, nil
	}
	r.inside, r.doing, r.work = d, "Snapshot", nil
	start := l.clock.Boot()
	r.enter(noPlace)
	state, err = s.Snapshot()
	r.leave()
	d.late(l.clock.Boot() - start)
	return state, true, err
}
