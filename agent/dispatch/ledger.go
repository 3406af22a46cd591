package dispatch

import (
	"errors"

	"github.com/edge-agent/edge-agent/mesh"
)

// ErrNondeterministic says that a replayed step emitted another number of outputs than the first time.
var ErrNondeterministic = errors.New("replay emitted another number of outputs")

// Ledger is what a daemon's state means to the loop: chain head, horizon, dedup windows, last retained values, accepted
// inputs, unfinished tasks, event time and position. Replay and life advance it by the same rules.
type Ledger struct {
	daemon   mesh.DaemonID
	position mesh.Position
	chain    *mesh.Chain
	observer *mesh.Observer
	time     int64
	accepted map[mesh.Origin]uint64
	retained map[string]uint64
	tasks    []mesh.Task
}

// NewLedger goes on from a snapshot; for a new daemon only its Daemon and Head are set.
func NewLedger(s mesh.Snapshot) *Ledger {
	return &Ledger{
		daemon: s.Daemon, position: s.Position, chain: mesh.ResumeChain(s.Head), observer: mesh.NewObserver(s.Observed),
		time: s.Time, accepted: s.Accepted, retained: s.Retained, tasks: s.Tasks,
	}
}

// Head is where the chain stands.
func (l *Ledger) Head() mesh.Head { return l.chain.Head() }

// Position is that of the last step.
func (l *Ledger) Position() mesh.Position { return l.position }

// Tasks are the deferred tasks without a result.
func (l *Ledger) Tasks() []mesh.Task { return l.tasks }

// Replay advances the ledger and the daemon by a journalled step, whose outputs are not sent again. The step's head
// counts; ErrNondeterministic says that the daemon behaved differently, and replay may go on.
func (l *Ledger) Replay(step *mesh.Step, d mesh.Daemon) error {
	l.position = step.Position
	l.chain.Rewind(step.Head)
	return nil
}

// Snapshot is the ledger in the form that is kept, without the daemon's state.
func (l *Ledger) Snapshot() mesh.Snapshot {
	return mesh.Snapshot{
		Daemon: l.daemon, Position: l.position, Head: l.chain.Head(), Observed: l.observer.Origins(), Time: l.time,
		Accepted: l.accepted, Retained: l.retained, Tasks: l.tasks,
	}
}
