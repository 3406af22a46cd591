package dispatch

import (
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// maxTasks is how many deferred tasks a daemon may have unfinished before its inputs wait.
const maxTasks = 128

// maxTries is how often an event may crash its daemon before it is set aside.
const maxTries = 3

// Careful mode ends after so many inputs or so long.
const (
	carefulInputs = 1000
	carefulFor    = int64(time.Minute)
)

// identity names the producer of an output. It never changes.
type identity struct {
	daemon      mesh.DaemonID
	epoch       uint64
	incarnation uint32
}

// daemon is a daemon in the loop, which alone touches it.
type daemon struct {
	Spec
	self    *identity
	impl    mesh.Daemon
	ledger  *Ledger
	durable bool
	phase   Phase
	gone    bool // removed: what still refers to it is dropped

	ports []*port
	// Ports of other daemons of this node that take the outputs: durable ones before they are on disk, volatile ones
	// after it.
	durables, volatiles []*port
	kept, sent          []mesh.Send // by QoS: with a record, and without

	shift       int64 // from boot time to event time
	sticky      *sticky
	inbox       inbox
	results     []*pending // of deferred tasks; they overtake the inbox
	waiting     bool       // is in the loop's list of daemons to look after
	begun       uint64     // steps of a volatile daemon that began tasks
	tasksOrigin mesh.Origin

	timer      *timer  // of snapshots
	saturation float32 // as last reported

	careful  int   // inputs left that are written before they are processed
	cautious int64 // boot time at which that ends
	twins    twins

	steps     int   // since the last snapshot
	snapped   int64 // boot time of the last snapshot
	lastGroup uint64
	committed mesh.Head

	crash *Crash // to be reported once every step is on disk
	tally DaemonStats
	took  histogram
}

// port is one binding of one daemon. What each event needs comes first, to lie together.
type port struct {
	to    *daemon
	impl  mesh.Daemon // and shift, as the daemon's
	shift int64
	// direct says that an event can go straight from a lane to Process: its daemon is volatile and ready, and the event
	// needs no decoding.
	direct   bool
	observed mesh.Origin // last noted in the horizon
	origin   mesh.Origin
	accepted *uint64 // most often own
	own      uint64
	events   uint64 // that went straight to Process

	Binding
	order   uint32 // of all ports, by age
	topic   string // of outputs that come from memory
	timer   *timer // of an interval
	missed  uint64 // ticks since the one that waits
	queued  bool   // a tick waits
	reorder *reorder
	// The output last seen of From, for a volatile daemon.
	epoch       uint64
	incarnation uint32
	highest     uint64
}

// ready says that the daemon can take an event now.
func (d *daemon) ready() bool {
	return d.phase == Running && d.Mode == Live && len(d.ledger.tasks) < maxTasks
}

// settle notes whether events may go straight to the daemon. It follows every change of what that rests on.
func (d *daemon) settle(l *loop) {
	direct := !d.durable && !d.gone && d.ready() && d.inbox.len() == 0 && len(d.results) == 0
	for _, p := range d.ports {
		before := p.direct
		p.impl, p.shift = d.impl, d.shift
		p.direct = direct && p.Decode == nil && p.Hold == 0
		l.unsettled = l.unsettled || before && !p.direct
	}
}

// pending is an event on its way to its daemon.
type pending struct {
	event  mesh.Event
	port   *port // nil for results and given events of an earlier run
	ticket *ticket
	twins  []*ticket // of repeats that came while the event waited
	chunk  *chunk    // holds the payload, nil if nobody else needs its memory
	// at is the record of the output that this event is.
	at mesh.Position
	// given is the record that already keeps the event, and commit the group that puts it on disk.
	given   mesh.Position
	commit  uint64
	written bool
	counted bool // this run's first try is on record
	// attempts counts those on record, tries the crashes over the event since then.
	attempts uint32
	tries    int
	doomed   bool // set aside instead of tried
	// retained has the event dropped if it brings nothing new.
	retained bool
	// lossy events may be dropped when there is no room.
	lossy bool
}

func (p *pending) size() int { return len(p.event.Payload) + len(p.event.Topic) + 256 }

// same says that two events are one input by identity.
func (p *pending) same(ev *mesh.Event) bool {
	q := &p.event
	if q.Trigger != mesh.Message || ev.Trigger != mesh.Message || q.Daemon != ev.Daemon {
		return false
	}
	if q.Daemon != "" {
		return q.Link.Sequence == ev.Link.Sequence && q.Epoch == ev.Epoch && q.Incarnation == ev.Incarnation
	}
	return !q.ID.IsZero() && q.ID == ev.ID && q.Source == ev.Source
}

// inbox is a queue of events that wait for their daemon.
type inbox struct {
	events []*pending
	bytes  int
	loose  int // events that are on no record yet but should be
}

func (b *inbox) len() int { return len(b.events) }

func (b *inbox) push(p *pending) {
	b.events = append(b.events, p)
	b.count(p, 1)
}

func (b *inbox) unshift(p *pending) {
	b.events = append([]*pending{p}, b.events...)
	b.count(p, 1)
}

func (b *inbox) pop() *pending {
	p := b.events[0]
	b.events[0] = nil
	b.events = b.events[1:]
	b.count(p, -1)
	return p
}

func (b *inbox) count(p *pending, n int) {
	b.bytes += n * p.size()
	if p.loose() {
		b.loose += n
	}
}

// loose says that an event must be kept and is on no record.
func (p *pending) loose() bool { return !p.written && !p.lossy }

// dropOldest makes room by one lossy event.
func (b *inbox) dropOldest() *pending {
	for i, p := range b.events {
		if p.lossy {
			copy(b.events[1:i+1], b.events[:i])
			b.events[0] = p
			return b.pop()
		}
	}
	return nil
}

// find returns the event that is the same input.
func (b *inbox) find(ev *mesh.Event) *pending {
	for _, p := range b.events {
		if p.same(ev) {
			return p
		}
	}
	return nil
}

// note adds the duration of a Process.
func (d *daemon) note(ns int64) {
	d.took.add(ns)
	d.late(ns)
}

// late counts a call above the soft budget.
func (d *daemon) late(ns int64) {
	if ns > int64(d.Soft) {
		d.tally.Slow++
	}
}
