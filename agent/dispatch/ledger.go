package dispatch

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/edge-agent/edge-agent/mesh"
)

// ErrNondeterministic says that a replayed step did not do what it did the first time.
var ErrNondeterministic = errors.New("replay went differently")

// maxLastValues bounds the topics whose last value a daemon remembers.
const maxLastValues = 1024

// Ledger is what a daemon's state means to the loop: chain head, horizon, dedup windows, last values of topics,
// accepted inputs, unfinished tasks, event time and position. Replay and life advance it by the same rules.
type Ledger struct {
	daemon   mesh.DaemonID
	position mesh.Position
	chain    *mesh.Chain
	observer *mesh.Observer
	dedup    *mesh.Dedup
	time     int64
	accepted map[mesh.Origin]*uint64
	values   map[string]*lastValue // by topic
	topics   []string              // of values, oldest first
	tasks    []mesh.Task
	out      mesh.Outputs // of replay
}

// NewLedger goes on from a snapshot; for a new daemon only its Daemon and Head are set.
func NewLedger(s mesh.Snapshot) *Ledger {
	l := &Ledger{
		daemon: s.Daemon, position: s.Position, chain: mesh.ResumeChain(s.Head), observer: mesh.NewObserver(s.Observed),
		dedup: mesh.NewDedup(s.Windows), time: s.Time, accepted: make(map[mesh.Origin]*uint64),
		values: make(map[string]*lastValue), tasks: slices.Clone(s.Tasks),
	}
	for origin, n := range s.Accepted {
		l.accepted[origin] = &n
	}
	for _, topic := range slices.Sorted(maps.Keys(s.Retained)) {
		l.lastValue(topic).hash = s.Retained[topic]
	}
	return l
}

// Head is where the chain stands.
func (l *Ledger) Head() mesh.Head { return l.chain.Head() }

// Position is that of the last step.
func (l *Ledger) Position() mesh.Position { return l.position }

// Tasks are the deferred tasks without a result.
func (l *Ledger) Tasks() []mesh.Task { return slices.Clone(l.tasks) }

// Snapshot is the ledger in the form that is kept, without the daemon's kind, schema and state. It shares no memory.
func (l *Ledger) Snapshot() mesh.Snapshot {
	s := mesh.Snapshot{
		Daemon: l.daemon, Position: l.position, Head: l.chain.Head(), Observed: l.observer.Origins(),
		Windows: l.dedup.Windows(), Time: l.time, Tasks: slices.Clone(l.tasks),
	}
	s.Accepted, s.Retained = make(map[mesh.Origin]uint64), make(map[string]uint64)
	for origin, n := range l.accepted {
		if *n != 0 {
			s.Accepted[origin] = *n
		}
	}
	for topic, last := range l.values {
		if hash := last.sum(); hash != 0 {
			s.Retained[topic] = hash
		}
	}
	return s
}

// Replay advances the ledger and the daemon by a journalled step, whose outputs are not sent again. The step's head
// counts. ErrNondeterministic says that the daemon did something else than the first time; replay may go on. Any other
// error is a panic of the daemon, which must not be used any more.
func (l *Ledger) Replay(step *mesh.Step, d mesh.Daemon) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &mesh.Error{Daemon: l.daemon, Kind: mesh.ErrProcess, Cause: fmt.Errorf("panic in replay: %v", p)}
		}
	}()
	l.position = step.Position
	if step.Control.Signal != 0 {
		if c, ok := d.(mesh.Controlled); ok {
			c.OnControl(step.Control)
		}
		return nil
	}
	event := step.Event
	l.apply(&event)
	if step.Poison {
		return nil
	}
	l.out.Reset()
	failed := d.Process(&event, &l.out) != nil || l.out.Err() != nil
	emitted := uint32(l.out.Len())
	if failed {
		emitted = 0
	}
	l.chain.Rewind(step.Head)
	l.tasks = append(l.tasks, step.Tasks...)
	if failed != step.Failed || emitted != step.Emitted {
		return fmt.Errorf("daemon %s, step %d: %d outputs, failed %t; at first %d, %t: %w", l.daemon, step.Position,
			emitted, failed, step.Emitted, step.Failed, ErrNondeterministic)
	}
	return nil
}

// apply notes that an event has been dealt with.
func (l *Ledger) apply(ev *mesh.Event) {
	l.time = max(l.time, ev.Time)
	l.observer.Observe(ev.Link.Origin)
	if ev.Trigger == mesh.Message {
		l.dedup.Add(ev)
	}
	if ev.Daemon == "" {
		n := l.counter(ev.Link.Origin)
		*n = max(*n, ev.Link.Sequence)
	}
	switch {
	case ev.Trigger == mesh.Result:
		l.tasks = slices.DeleteFunc(l.tasks, func(t mesh.Task) bool { return taskID(t) == ev.ID })
	case ev.Trigger == mesh.Message && ev.Daemon == "":
		l.lastValue(ev.Topic).hash = hashOf(ev.Payload)
	}
}

// unchanged says that an event brings a topic's last value once more.
func (l *Ledger) unchanged(ev *mesh.Event) bool {
	last, ok := l.values[ev.Topic]
	return ok && last.sum() == hashOf(ev.Payload)
}

// lastValue is where the hash of a topic's last payload is noted.
func (l *Ledger) lastValue(topic string) *lastValue {
	if last, ok := l.values[topic]; ok {
		return last
	}
	if len(l.topics) >= maxLastValues {
		delete(l.values, l.topics[0])
		l.topics = l.topics[1:]
	}
	l.values[topic] = new(lastValue)
	l.topics = append(l.topics, topic)
	return l.values[topic]
}

// counter is where the accepted inputs of an origin are counted.
func (l *Ledger) counter(o mesh.Origin) *uint64 {
	n, ok := l.accepted[o]
	if !ok {
		n = new(uint64)
		l.accepted[o] = n
	}
	return n
}

// owes says that a task has no result yet.
func (l *Ledger) owes(id mesh.ID) bool {
	return slices.ContainsFunc(l.tasks, func(t mesh.Task) bool { return taskID(t) == id })
}

// lastValue is the last payload seen on a topic: its hash, 0 for none yet, or a short payload itself until somebody
// asks, which few ever do.
type lastValue struct {
	hash    uint64
	payload []byte
}

// shortValue bounds the memory that last values keep.
const shortValue = 256

func (v *lastValue) set(payload []byte) {
	if len(payload) > shortValue || payload == nil {
		v.hash, v.payload = hashOf(payload), nil
		return
	}
	v.payload = payload
}

func (v *lastValue) sum() uint64 {
	if v.payload != nil {
		v.hash, v.payload = hashOf(v.payload), nil
	}
	return v.hash
}

// hashOf is never 0, which stands for no value.
func hashOf(payload []byte) uint64 { return xxh3.Hash(payload) | 1 }

// taskID is the identity of a deferred task's result.
func taskID(t mesh.Task) mesh.ID { return mesh.NumberID(uint64(t.Step)<<16 | uint64(t.Index)) }
