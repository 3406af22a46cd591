package dispatch

import (
	"context"
	"fmt"
	"sync"

	"github.com/edge-agent/edge-agent/mesh"
)

// Host runs daemons in one loop. Its methods may be called from any goroutine but the loop's; those with a context wait
// until the loop has done what they ask, between two events.
type Host struct {
	o    Options
	wake chan struct{}

	mu       sync.Mutex
	commands []func()
	ended    chan struct{}
}

// New builds a host and starts nothing.
func New(o Options) *Host {
	return &Host{o: o, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Run is the loop. It works until the context ends, and then finishes the event and writes the group in hand.
func (h *Host) Run(ctx context.Context) error {
	defer close(h.ended)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		}
		h.mu.Lock()
		commands := h.commands
		h.commands = nil
		h.mu.Unlock()
		for _, command := range commands {
			command()
		}
	}
}

// Add begins to run a daemon. Deferred tasks of its ledger without a result are started again.
func (h *Host) Add(ctx context.Context, s Spec) error {
	return h.do(ctx, func(done func(error)) { done(nil) })
}

// Remove ends a daemon: its waiting inputs are written as given, a last snapshot is taken if the daemon is durable, and
// Remove returns once both are on disk, with the ledger that belongs to them. The rest of what is in its queues is lost.
func (h *Host) Remove(ctx context.Context, id mesh.DaemonID) (*Ledger, error) {
	var ledger *Ledger
	err := h.do(ctx, func(done func(error)) { done(nil) })
	return ledger, err
}

// Replace gives a crashed daemon a new instance, restored from what is on disk. Volatile daemons go on with the head,
// which begins a new incarnation; for durable ones it is ignored.
func (h *Host) Replace(ctx context.Context, id mesh.DaemonID, d mesh.Daemon, head mesh.Head) error {
	return h.do(ctx, func(done func(error)) { done(nil) })
}

// SetMode changes what is done with a daemon's events.
func (h *Host) SetMode(ctx context.Context, id mesh.DaemonID, m Mode) error {
	return h.do(ctx, func(done func(error)) { done(nil) })
}

// Snapshot takes a snapshot now and returns once it is on disk.
func (h *Host) Snapshot(ctx context.Context, id mesh.DaemonID) error {
	return h.do(ctx, func(done func(error)) { done(nil) })
}

// Poll asks a daemon for its health and saturation.
func (h *Host) Poll(ctx context.Context, id mesh.DaemonID) (Sample, error) {
	var sample Sample
	err := h.do(ctx, func(done func(error)) { done(nil) })
	return sample, err
}

// Stats returns the figures of everything.
func (h *Host) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	err := h.do(ctx, func(done func(error)) { done(nil) })
	return stats, err
}

// Control tells a daemon something between two events. It does not wait: of backpressure the latest counts, and none of
// the other signals is lost. A daemon that hears nothing ignores it.
func (h *Host) Control(id mesh.DaemonID, c mesh.Control) error { return nil }

// Lane makes a queue for one producer: only one goroutine at a time may post to it. Its size is rounded up to a power of
// two.
func (h *Host) Lane(name string, size int) *Lane { return &Lane{} }

// Post hands over an input from a goroutine without a lane. False means that there is no room.
func (h *Host) Post(in *Input) bool { return false }

// Lane is the queue of one producer to the loop.
type Lane struct{}

// Post hands over an input and wakes the loop. False means that the lane is full; the input was not taken.
func (l *Lane) Post(in *Input) bool { return false }

// Stage is Post without waking the loop: Flush must follow at the end of a burst.
func (l *Lane) Stage(in *Input) bool { return false }

// Flush lets the loop see what was staged.
func (l *Lane) Flush() {}

// do has the loop call a function, which must call done once, at once or later.
func (h *Host) do(ctx context.Context, f func(done func(error))) error {
	result := make(chan error, 1)
	h.mu.Lock()
	h.commands = append(h.commands, func() { f(func(err error) { result <- err }) })
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the loop: %w", ctx.Err())
	case <-h.ended:
		return fmt.Errorf("the loop has ended: %w", mesh.ErrWrongPhase)
	}
}
