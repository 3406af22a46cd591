package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// startLimit is how long a daemon's code may take before its first event. Its goroutine cannot be ended: what it
// returns later is dropped.
const startLimit = 30 * time.Second

// blueprint is all it takes to build a daemon; nothing in it changes while a job works with it.
type blueprint struct {
	id          mesh.DaemonID
	kind        mesh.Kind
	spec        order.Spec
	caps        capability.Set
	epoch       uint64
	incarnation uint32
	force       bool // begin anew where the kept state does not fit
}

// unmetError says what a node lacks for a daemon.
type unmetError struct{ unmet []capability.Unmet }

func (e *unmetError) Error() string {
	terms := make([]string, len(e.unmet))
	for i, u := range e.unmet {
		terms[i] = u.String()
	}
	return "this node does not meet the requirements: " + strings.Join(terms, "; ")
}

// build makes a daemon that has no state yet and checks what it needs against what the node has.
func (a *Agent) build(b blueprint) (d mesh.Daemon, err error) {
	defer recovered(&err)
	d, err = b.kind.New(b.spec.Config, mesh.Env{ID: b.id, Log: a.o.Log.With("daemon", b.id, "kind", b.kind.Name)})
	if err != nil {
		return nil, fmt.Errorf("configuring a %s: %w", b.kind.Name, err)
	}
	_, unmet := capability.All(b.kind.Requirements, b.spec.Requires, d.Requirements()).Match(b.caps)
	if placed, ok := d.(mesh.Placed); ok {
		unmet = append(unmet, b.caps.Unmet(placed.RequiredCapabilities())...)
	}
	if len(unmet) > 0 {
		return nil, &unmetError{unmet}
	}
	return d, nil
}

// restored is a daemon with the state of its last commit, and the bookkeeping that belongs to it.
type restored struct {
	daemon   mesh.Daemon
	ledger   *dispatch.Ledger
	givens   []mesh.Given
	unsteady bool
}

// restore builds a daemon and brings it to where the store says it was.
func (a *Agent) restore(b blueprint) (r restored, err error) {
	r.daemon, err = a.build(b)
	if err != nil {
		return r, err
	}
	if b.spec.Durability.Volatile() {
		head := mesh.NewChain(mesh.OriginOf(a.o.Fleet, b.id), b.epoch, b.incarnation).Head()
		r.ledger = dispatch.NewLedger(mesh.Snapshot{Daemon: b.id, Head: head})
		return r, nil
	}
	snapshot, err := a.snapshotOf(b)
	if err != nil {
		return r, err
	}
	if err := restoreState(r.daemon, b, snapshot.State); err != nil {
		if !b.force {
			return r, err
		}
		a.o.Log.Warn("beginning anew, as forced", "daemon", b.id, "error", err)
		snapshot.State = nil
	}
	r.ledger = dispatch.NewLedger(snapshot)
	err = a.o.Store.Replay(b.id, snapshot.Position, func(step mesh.Step) error {
		err := replay(r.ledger, &step, r.daemon)
		if errors.Is(err, dispatch.ErrNondeterministic) {
			r.unsteady = true
			return nil
		}
		return err
	})
	if err != nil {
		return r, &mesh.Error{Daemon: b.id, Kind: mesh.ErrRestore, Cause: err}
	}
	head, known, err := a.o.Store.Head(b.id)
	if err != nil {
		return r, err
	}
	kept := r.ledger.Snapshot()
	if known && kept.Head.Link.Sequence < head.Link.Sequence { // what follows would be linked twice
		a.o.Log.Error("steps are missing; the chain goes on from its head on disk", "daemon", b.id,
			"replayed", kept.Head.Link.Sequence, "head", head.Link.Sequence)
		kept.Head = head
	}
	kept.Head.Epoch = b.epoch
	if kept.Head != r.ledger.Head() {
		r.ledger = dispatch.NewLedger(kept)
	}
	r.givens, err = a.o.Store.Givens(b.id)
	return r, err
}

// snapshotOf is the newest good snapshot of the daemon, or the beginning of its chain.
func (a *Agent) snapshotOf(b blueprint) (mesh.Snapshot, error) {
	snapshot, ok, err := a.o.Store.Load(b.id)
	if err != nil {
		return mesh.Snapshot{}, err
	}
	if !ok {
		head := mesh.NewChain(mesh.OriginOf(a.o.Fleet, b.id), b.epoch, 0).Head()
		return mesh.Snapshot{Daemon: b.id, Kind: b.kind.Name, Schema: b.kind.Schema, Head: head}, nil
	}
	if err := snapshot.Check(b.kind.Name, b.kind.Schema); err != nil && len(snapshot.State) > 0 {
		if !b.force {
			return snapshot, err
		}
		snapshot.State = nil
	}
	return snapshot, nil
}

func restoreState(d mesh.Daemon, b blueprint, state []byte) (err error) {
	defer recovered(&err)
	return mesh.Restore(d, b.id, b.kind.Name, state)
}

func replay(l *dispatch.Ledger, step *mesh.Step, d mesh.Daemon) (err error) {
	defer recovered(&err)
	return l.Replay(step, d)
}

// recovered turns a panic of a daemon's code into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// within runs a daemon's code on a goroutine of its own and gives up after startLimit.
func within[T any](ctx context.Context, limit time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var none T
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		return none, fmt.Errorf("the daemon's code did not return within %s", limit)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
