package dispatch

import (
	"errors"
	"slices"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Defaults of a Spec.
const (
	defaultSoft   = time.Millisecond
	defaultEvents = 1024
	defaultBytes  = 4 << 20
)

// nowhere is the port of calls that were recalled.
var nowhere = &port{to: &daemon{gone: true}}

// MaxState is the largest state that a snapshot may hold, in bytes.
const MaxState = 16 << 20

// add takes a daemon into the loop.
func (l *loop) add(s Spec) error {
	fault := func(kind error, cause string) error {
		return &mesh.Error{Daemon: s.ID, Kind: kind, Cause: errors.New(cause)}
	}
	switch {
	case l.daemons[s.ID] != nil:
		return fault(mesh.ErrRunning, "it is in the loop")
	case s.Daemon == nil || s.Ledger == nil:
		return fault(mesh.ErrWrongPhase, "it has no instance or no ledger")
	case s.Durability != Volatile && l.o.Journal == nil:
		return fault(mesh.ErrWrongPhase, "it is durable and there is no journal")
	}
	s.Soft = positive(s.Soft, defaultSoft)
	s.Inbox.MaxEvents = positive(s.Inbox.MaxEvents, defaultEvents)
	s.Inbox.MaxBytes = positive(s.Inbox.MaxBytes, defaultBytes)
	l.tick()
	d := &daemon{
		Spec: s, impl: s.Daemon, ledger: s.Ledger, durable: s.Durability != Volatile, sticky: &sticky{},
		tasksOrigin: mesh.TopicOrigin("task:" + string(s.ID)), snapped: l.now, committed: s.Ledger.Head(),
		twins: newTwins(s.Givens),
	}
	d.identify()
	for _, send := range s.Sends {
		if send.QoS > 0 {
			d.kept = append(d.kept, send)
		} else {
			d.sent = append(d.sent, send)
		}
	}
	began := max(l.wall, d.ledger.time)
	var missed int64
	if d.ledger.time > 0 {
		missed = began - d.ledger.time
	}
	d.shift = began - l.now
	if s.Careful {
		d.careful, d.cautious = carefulInputs, l.now+carefulFor
	}
	l.daemons[s.ID] = d
	l.all = append(l.all, d)
	l.mu.Lock()
	l.sticky[s.ID] = d.sticky
	l.mu.Unlock()
	for _, b := range s.Bindings {
		l.bind(d, b, missed)
	}
	l.meet(d)
	for i := range s.Givens {
		d.inbox.push(d.given(&s.Givens[i]))
	}
	for _, task := range d.ledger.tasks {
		l.pool.put(d, task)
	}
	if every := d.Spec.Snapshot.Every; every > 0 && d.durable {
		d.timer = l.at(l.now+int64(every), int64(every), func(r *runner, _ uint64) { l.timedSnapshot(r, d) })
	}
	d.settle(l)
	l.await(d)
	return nil
}

func positive[T int | time.Duration](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}

// identify notes who the daemon is to those who take its outputs.
func (d *daemon) identify() {
	head := d.ledger.Head()
	d.self = &identity{d.ID, head.Epoch, head.Incarnation}
}

// given is an input of an earlier run that is on record.
func (d *daemon) given(g *mesh.Given) *pending {
	return &pending{
		event: g.Event, at: g.At, given: g.Position, written: true,
		attempts: g.Attempt, doomed: int(g.Attempt) >= maxTries && !d.Strict,
	}
}

// bind opens the ports of a binding.
func (l *loop) bind(d *daemon, b Binding, missed int64) {
	p := &port{Binding: b, to: d, order: l.order}
	l.order++
	d.ports = append(d.ports, p)
	origin := b.Filter
	switch {
	case b.Every > 0:
		origin = "timer:" + string(d.ID)
	case b.Machine:
		origin = "source:machine"
	}
	p.origin = mesh.TopicOrigin(origin)
	p.accepted = d.ledger.counter(p.origin)
	if !slices.ContainsFunc(d.ports[:len(d.ports)-1], func(q *port) bool { return q.accepted == p.accepted }) {
		p.own = *p.accepted
		p.accepted = &p.own
		d.ledger.accepted[p.origin] = p.accepted
	}
	if b.Filter != "" {
		l.router.add(p)
	}
	if b.Machine {
		l.machine = append(l.machine, target{port: p})
	}
	if b.Every > 0 {
		l.every(p, uint64(missed/b.Every))
	}
	if b.Hold > 0 {
		p.reorder = newReorder(l, p)
	}
}

// meet connects a daemon with the producers and consumers among the others.
func (l *loop) meet(d *daemon) {
	for _, other := range l.all {
		for _, p := range other.ports {
			if p.From == d.ID && d.Local != "" {
				d.feed(p)
			}
		}
	}
	for _, p := range d.ports {
		if from := l.daemons[p.From]; from != nil && from != d && from.Local != "" {
			from.feed(p)
		}
	}
}

// feed has a port take the daemon's outputs.
func (d *daemon) feed(p *port) {
	p.topic = d.Local
	if p.to.durable {
		d.durables = append(d.durables, p)
	} else {
		d.volatiles = append(d.volatiles, p)
	}
}

// remove takes a daemon out of the loop. It returns false when it needs a group and there is none.
func (l *loop) remove(r *runner, d *daemon, reply func(error)) bool {
	if d.durable && d.phase != Failed {
		if l.room() == nil {
			return false
		}
		l.collect(r, d)
		l.give(d)
		if d.phase == Running {
			l.signal(r, d)
			r.reply = reply
			l.snapshot(r, d) // its failure is reported, and is no reason to keep the daemon
			r.reply = nil
		}
	}
	l.forget(d)
	if d.lastGroup <= l.committed {
		reply(nil)
		return true
	}
	g := l.group
	if g == nil || d.lastGroup != g.serial {
		g = l.newest
	}
	if g == nil {
		reply(nil)
		return true
	}
	g.then = append(g.then, reply)
	g.urgent()
	return true
}

// collect puts all that is on its way to a daemon into its inbox.
func (l *loop) collect(r *runner, d *daemon) {
	d.Mode = Buffering
	for _, p := range d.ports {
		if p.reorder != nil {
			p.reorder.drain(l, r)
		}
	}
	l.recall(r, func(c *call) bool { return c.port.to == d })
}

// recall takes calls out of the queue and into the inboxes of their daemons.
func (l *loop) recall(r *runner, which func(*call) bool) {
	for i := l.local.first; i != l.local.next; i++ {
		c := &l.local.calls[i&uint32(len(l.local.calls)-1)]
		if !which(c) {
			continue
		}
		if p := c.pending(); !l.repeated(p.port.to, p) {
			l.enqueue(p.port.to, p)
		}
		c.port, c.chunk, c.at = nowhere, nil, 0 // its payload counts until it is popped
	}
}

// forget takes a daemon out of every list.
func (l *loop) forget(d *daemon) {
	d.gone = true
	delete(l.daemons, d.ID)
	l.mu.Lock()
	delete(l.sticky, d.ID)
	l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(o *daemon) bool { return o == d })
	l.cancel(d.timer)
	for _, p := range d.ports {
		if p.Filter != "" {
			l.router.remove(p)
		}
		l.cancel(p.timer)
		if p.reorder != nil {
			l.cancel(p.reorder.timer)
		}
	}
	mine := func(p *port) bool { return p.to == d }
	l.machine = slices.DeleteFunc(l.machine, func(t target) bool { return mine(t.port) })
	for _, other := range l.all {
		other.durables = slices.DeleteFunc(other.durables, mine)
		other.volatiles = slices.DeleteFunc(other.volatiles, mine)
	}
	d.settle(l)
}

// replace gives a crashed daemon a new instance.
func (l *loop) replace(d *daemon, instance mesh.Daemon, head mesh.Head) {
	d.impl, d.phase = instance, Running
	if !d.durable {
		d.ledger.chain.Rewind(head)
		d.identify()
	}
	d.sticky.renew()
	d.settle(l)
	l.await(d)
}

// timedSnapshot takes a snapshot if anything happened since the last one.
func (l *loop) timedSnapshot(r *runner, d *daemon) {
	if d.phase == Running && d.steps > 0 && l.room() != nil {
		l.snapshot(r, d)
	}
}
