package dispatch

import (
	"bytes"
	"fmt"

	"github.com/edge-agent/edge-agent/mesh"
)

// enqueue keeps a copy of an event until its daemon can take it.
func (l *loop) enqueue(d *daemon, p *pending) {
	kept := new(pending)
	*kept = *p
	kept.event.Payload = l.own(p)
	kept.chunk, p.chunk = nil, nil
	if !l.makeRoom(d, kept) {
		return
	}
	d.inbox.push(kept)
	d.settle(l)
	l.await(d)
}

// own returns a payload that nobody uses again.
func (l *loop) own(p *pending) []byte {
	if p.chunk == nil {
		return p.event.Payload
	}
	owned := bytes.Clone(p.event.Payload)
	l.arena.release(p.chunk)
	return owned
}

// makeRoom drops what may be dropped for an event, or the event itself.
func (l *loop) makeRoom(d *daemon, p *pending) bool {
	size := p.size()
	for d.inbox.bytes+size > d.Inbox.MaxBytes || p.lossy && d.inbox.len() >= d.Inbox.MaxEvents {
		if oldest := d.inbox.dropOldest(); oldest != nil {
			oldest.forget()
			l.settle(oldest)
			d.tally.Dropped++
			continue
		}
		if p.lossy {
			p.forget()
			l.settle(p)
			d.tally.Dropped++
			return false
		}
		d.tally.Rejected++
		l.settle(p)
		if l.o.Hooks.Gap != nil {
			l.o.Hooks.Gap(Gap{Daemon: d.ID, Reason: "the inbox is full", Count: 1})
		}
		return false
	}
	return true
}

// forget tells the timer that its tick does not wait any more.
func (p *pending) forget() {
	if p.port != nil && p.event.Trigger == mesh.Tick {
		p.port.queued = false
		p.port.missed += p.event.Missed + 1
	}
}

// tend looks after the daemons for which something waits.
func (l *loop) tend(r *runner) {
	for i := 0; i < len(l.waiting); {
		d := l.waiting[i]
		l.look(r, d)
		if l.group != nil && l.group.full() {
			l.drainLocal(r)
			l.punctuate(r)
		}
		if d.gone || d.idle() {
			d.waiting = false
			last := len(l.waiting) - 1
			l.waiting[i] = l.waiting[last]
			l.waiting[last] = nil
			l.waiting = l.waiting[:last]
			continue
		}
		i++
	}
}

// idle says that nothing waits for the daemon.
func (d *daemon) idle() bool {
	return d.inbox.len()+len(d.results) == 0 && d.crash == nil && !d.sticky.some()
}

// canTend says that look would get on with something.
func (l *loop) canTend(d *daemon) bool {
	room := !d.durable || l.group != nil || len(l.spare) > 0
	switch {
	case d.gone:
		return true
	case d.phase == Failed:
		return false
	case d.crash != nil:
		return d.lastGroup <= l.committed || l.group != nil && l.group.serial == d.lastGroup
	case d.phase == Running && d.Mode != Frozen && d.sticky.some(),
		d.phase == Running && d.Mode == Live && len(d.results) > 0:
		return room
	case d.inbox.len() == 0:
		return false
	case l.mustGive(d):
		return room
	}
	return room && d.ready() && d.inbox.events[0].commit <= l.committed
}

// look does for a daemon what can be done now, in turns.
func (l *loop) look(r *runner, d *daemon) {
	if d.gone || d.phase == Failed {
		return
	}
	if d.crash != nil {
		l.report(d)
	}
	l.signal(r, d)
	for len(d.results) > 0 && d.phase == Running && d.Mode == Live && l.roomFor(d) {
		p := d.results[0]
		d.results = d.results[1:]
		if d.ledger.owes(p.event.ID) {
			l.step(r, d, p)
		}
	}
	if l.mustGive(d) && !d.ready() {
		l.give(d)
	}
	if l.uncounted(d) && l.room() != nil {
		l.write(d, d.inbox.events[0])
	}
	for range inboxTurn {
		if d.inbox.len() == 0 || !d.ready() || !l.roomFor(d) {
			break
		}
		p := d.inbox.events[0]
		if p.commit > l.committed || l.uncounted(d) {
			break
		}
		d.inbox.pop()
		p.forgetTick()
		if p.doomed {
			p.event.Time, p.event.Wall = max(l.now+d.shift, d.ledger.time), l.wall
			l.poison(d, p)
			continue
		}
		l.step(r, d, p)
	}
	d.settle(l)
}

func (p *pending) forgetTick() {
	if p.port != nil && p.event.Trigger == mesh.Tick {
		p.port.queued = false
	}
}

func (l *loop) roomFor(d *daemon) bool { return !d.durable || l.room() != nil }

// crash ends a daemon's instance over an event, if there was one.
func (l *loop) crash(d *daemon, p *pending, reason string, stack []byte, stuck bool) {
	d.phase = Crashed
	d.tally.Crashes++
	d.tally.LastError = reason
	d.crash = &Crash{Daemon: d.ID, Reason: reason, Stack: stack, Stuck: stuck}
	if p != nil {
		l.retry(d, p)
	}
	if g := l.group; g != nil && d.durable {
		g.urgent()
	}
	d.settle(l)
	l.await(d)
}

// retry puts an event that crashed its daemon back in front, or sets it aside.
func (l *loop) retry(d *daemon, crashed *pending) {
	p := new(pending)
	*p = *crashed
	p.tries++
	d.crash.Attempt = p.tries
	if p.tries >= maxTries && !d.Strict {
		d.crash.Poison = true
		l.poison(d, p)
		return
	}
	p.event.Payload = l.own(p)
	p.chunk = nil
	if p.event.Trigger == mesh.Result {
		d.results = append([]*pending{p}, d.results...)
		return
	}
	d.inbox.unshift(p)
}

// poison sets an event aside.
func (l *loop) poison(d *daemon, p *pending) {
	d.tally.Poisoned++
	d.ledger.apply(&p.event)
	if !d.durable || l.room() == nil {
		l.arena.release(p.chunk)
		return
	}
	payload := p.event.Payload
	s := l.begin(d, p)
	s.Poison, s.Event.Payload = true, payload
	l.group.heads = append(l.group.heads, committedHead{d, s.Head})
}

// report tells of a crash, once every step of the daemon is on disk.
func (l *loop) report(d *daemon) {
	if d.lastGroup > l.committed {
		if g := l.group; g != nil && g.serial == d.lastGroup {
			g.urgent()
		}
		return
	}
	c := *d.crash
	d.crash = nil
	c.Head = d.ledger.Head()
	l.o.Log.Warn("daemon crashed", "daemon", d.ID, "reason", c.Reason, "attempt", c.Attempt, "poison", c.Poison)
	if l.o.Hooks.Crash != nil {
		l.o.Hooks.Crash(c)
	}
}

// result takes the end of a deferred task.
func (l *loop) result(o outcome) {
	d := o.of
	if d.gone || d.phase == Failed || !d.ledger.owes(taskID(o.task)) {
		return
	}
	n := d.ledger.counter(d.tasksOrigin)
	*n++
	p := &pending{event: mesh.Event{
		Trigger: mesh.Result, Link: mesh.Link{Origin: d.tasksOrigin, Sequence: *n}, ID: taskID(o.task),
		Payload: o.result,
	}}
	if o.err != nil {
		p.event.Payload, p.event.Failed = nil, o.err.Error()
	} else if len(o.result) > mesh.MaxPayload {
		p.event.Payload, p.event.Failed = nil, fmt.Sprintf("result of %d bytes: above %d", len(o.result), mesh.MaxPayload)
	}
	d.results = append(d.results, p)
	l.await(d)
}
