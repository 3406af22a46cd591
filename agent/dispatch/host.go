package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Host runs daemons in one loop. Its methods may be called from any goroutine but the loop's; those with a context wait
// until the loop has done what they ask, between two events.
type Host struct {
	loop *loop

	mu     sync.Mutex // of those who post without a lane of their own
	shared *Lane
}

// sharedSize is the size of the lane of those without one.
const sharedSize = 1024

// New builds a host and starts nothing.
func New(o Options) *Host {
	h := &Host{loop: newLoop(o)}
	h.loop.runner.Store(newRunner(h.loop))
	h.shared = h.Lane("shared", sharedSize)
	return h
}

// Lane makes a queue for one producer: only one goroutine at a time may post to it. Its size is rounded up to a power
// of two.
func (h *Host) Lane(name string, size int) *Lane {
	l := h.loop
	lane := newLane(name, size, l.bell)
	l.mu.Lock()
	defer l.mu.Unlock()
	lanes := append(slices.Clone(*l.lanes.Load()), lane)
	l.lanes.Store(&lanes)
	return lane
}

// Post hands over an input from a goroutine without a lane. False means that there is no room.
func (h *Host) Post(in *Input) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shared.Post(in)
}

// Add begins to run a daemon. Deferred tasks of its ledger without a result are started again.
func (h *Host) Add(ctx context.Context, s Spec) error {
	return h.do(ctx, func(_ *runner, reply func(error)) bool {
		reply(h.loop.add(s))
		return true
	})
}

// Remove ends a daemon: its waiting inputs are written as given, a last snapshot is taken if the daemon is durable and
// runs, and Remove returns once all is on disk, with the ledger that belongs to it. What was lost to a failed commit is
// not written again.
func (h *Host) Remove(ctx context.Context, id mesh.DaemonID) (*Ledger, error) {
	var ledger *Ledger
	err := h.with(ctx, id, func(r *runner, d *daemon, reply func(error)) bool {
		ledger = d.ledger
		return h.loop.remove(r, d, reply)
	})
	if err != nil {
		return nil, err
	}
	return ledger, nil
}

// Replace gives a crashed daemon a new instance, restored from what is on disk. A volatile daemon goes on with the
// head, which begins a new incarnation; a durable one keeps its own.
func (h *Host) Replace(ctx context.Context, id mesh.DaemonID, instance mesh.Daemon, head mesh.Head) error {
	return h.with(ctx, id, func(_ *runner, d *daemon, reply func(error)) bool {
		if d.phase != Crashed || d.crash != nil {
			reply(&mesh.Error{Daemon: id, Kind: mesh.ErrWrongPhase, Cause: errors.New("only a crashed daemon is replaced")})
			return true
		}
		h.loop.replace(d, instance, head)
		reply(nil)
		return true
	})
}

// SetMode changes what is done with a daemon's events.
func (h *Host) SetMode(ctx context.Context, id mesh.DaemonID, m Mode) error {
	return h.with(ctx, id, func(_ *runner, d *daemon, reply func(error)) bool {
		d.Mode = m
		d.settle(h.loop)
		h.loop.await(d)
		reply(nil)
		return true
	})
}

// Snapshot takes a snapshot of a durable daemon now and returns once it is on disk.
func (h *Host) Snapshot(ctx context.Context, id mesh.DaemonID) error {
	return h.with(ctx, id, func(r *runner, d *daemon, reply func(error)) bool {
		switch {
		case !d.durable || d.phase != Running:
			reply(&mesh.Error{Daemon: id, Kind: mesh.ErrSnapshot, Cause: mesh.ErrWrongPhase})
		case h.loop.room() == nil:
			return false
		default:
			r.reply = reply
			if err := h.loop.snapshot(r, d); err != nil {
				reply(err)
				break
			}
			h.loop.group.then = append(h.loop.group.then, reply)
			h.loop.group.urgent()
		}
		r.reply = nil
		return true
	})
}

// Poll asks a daemon for its health and saturation.
func (h *Host) Poll(ctx context.Context, id mesh.DaemonID) (Sample, error) {
	samples := make(chan Sample, 1)
	err := h.with(ctx, id, func(r *runner, d *daemon, reply func(error)) bool {
		if d.phase != Running {
			reply(&mesh.Error{Daemon: id, Kind: mesh.ErrWrongPhase, Cause: errors.New("the daemon does not run")})
			return true
		}
		r.reply = reply
		samples <- h.loop.poll(r, d)
		r.reply = nil
		reply(nil)
		return true
	})
	if err != nil {
		return Sample{}, err
	}
	return <-samples, nil
}

// PollEach is Poll for several daemons in one visit to the loop. One that cannot be asked now is left out; one that
// crashes or hangs over the question ends the visit.
func (h *Host) PollEach(ctx context.Context, ids []mesh.DaemonID) (map[mesh.DaemonID]Sample, error) {
	samples := make(map[mesh.DaemonID]Sample, len(ids)) // the loop's own until it has replied
	err := h.do(ctx, func(r *runner, reply func(error)) bool {
		r.reply = reply
		for _, id := range ids {
			if d := h.loop.daemons[id]; d != nil && d.phase == Running {
				samples[id] = h.loop.poll(r, d)
			}
		}
		r.reply = nil
		reply(nil)
		return true
	})
	if err != nil {
		return nil, err
	}
	return samples, nil
}

// Stats returns the figures of everything.
func (h *Host) Stats(ctx context.Context) (Stats, error) {
	stats := make(chan Stats, 1)
	err := h.do(ctx, func(_ *runner, reply func(error)) bool {
		stats <- h.loop.figures()
		reply(nil)
		return true
	})
	if err != nil {
		return Stats{}, err
	}
	return <-stats, nil
}

// Control tells a daemon something between two events. It does not wait. Each signal is heard at least once, with its
// latest grace; of backpressure the latest is. A daemon that hears nothing ignores it.
func (h *Host) Control(id mesh.DaemonID, c mesh.Control) error {
	l := h.loop
	l.mu.Lock()
	s := l.sticky[id]
	l.mu.Unlock()
	if s == nil {
		return &mesh.Error{Daemon: id, Kind: mesh.ErrNotFound}
	}
	if s.put(c) {
		l.controls.put(id)
	}
	return nil
}

// do has the loop call a function, which replies once, at once or later.
func (h *Host) do(ctx context.Context, f func(r *runner, reply func(error)) bool) error {
	result := make(chan error, 1)
	reply := func(err error) {
		select {
		case result <- err:
		default: // a reply and a crash: the first one counts
		}
	}
	h.loop.commands.put(func(r *runner) bool { return ctx.Err() != nil || f(r, reply) })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the loop: %w", ctx.Err())
	case <-h.loop.ended:
		return fmt.Errorf("the loop has ended: %w", mesh.ErrWrongPhase)
	}
}

func (h *Host) with(ctx context.Context, id mesh.DaemonID,
	f func(r *runner, d *daemon, reply func(error)) bool) error {
	return h.do(ctx, func(r *runner, reply func(error)) bool {
		d := h.loop.daemons[id]
		if d == nil {
			reply(&mesh.Error{Daemon: id, Kind: mesh.ErrNotFound})
			return true
		}
		return f(r, d, reply)
	})
}

// poll asks a daemon how it is.
func (l *loop) poll(r *runner, d *daemon) Sample {
	var s Sample
	r.inside, r.work = d, nil
	if reporter, ok := d.impl.(mesh.HealthReporter); ok {
		r.doing = "Health"
		start := l.clock.Boot()
		r.enter(noPlace)
		s.Health = reporter.Health()
		r.leave()
		s.HealthTook = time.Duration(l.clock.Boot() - start)
	}
	if reporter, ok := d.impl.(mesh.SaturationReporter); ok {
		r.doing = "Saturation"
		start := l.clock.Boot()
		r.enter(noPlace)
		level := reporter.Saturation()
		r.leave()
		s.SaturationTook = time.Duration(l.clock.Boot() - start)
		if s.Invalid = math.IsNaN(float64(level)); !s.Invalid {
			d.saturation = min(max(level, 0), 1)
		}
		s.Saturation = d.saturation
	}
	return s
}
