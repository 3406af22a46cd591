package dispatch

import (
	"bytes"

	"github.com/edge-agent/edge-agent/mesh"
)

const process = "Process"

// targets are where an input goes.
func (l *loop) targets(in *Input) []target {
	if in.Trigger == mesh.Reading {
		return l.machine
	}
	return l.router.find(in.Topic).targets
}

// accept takes an input of a lane to each of its daemons.
func (l *loop) accept(r *runner, in *Input) {
	targets := l.targets(in)
	if r.fan == 0 {
		r.ticket = l.ticket(in, targets)
	}
	for r.fan < len(targets) {
		t := &targets[r.fan]
		r.fan++
		l.offer(r, t, in)
	}
	r.fan = 0
	l.drop(r.ticket)
	r.ticket = nil
}

// ticket opens the count of the durable daemons that an input is for, with one hold of its own. Where there are none it
// acknowledges the input at once.
func (l *loop) ticket(in *Input, targets []target) *ticket {
	if len(targets) == 0 {
		l.stats.Unmatched++
	}
	if in.Ack == nil {
		return nil
	}
	for i := range targets {
		if targets[i].port.to.durable {
			return l.open(in.Ack)
		}
	}
	if len(targets) > 0 {
		l.stats.Unclaimed++
	}
	in.Ack.Ack()
	return nil
}

func (l *loop) open(ack Acker) *ticket {
	n := len(l.tickets)
	if n == 0 {
		return &ticket{ack: ack, left: 1}
	}
	t := l.tickets[n-1]
	l.tickets = l.tickets[:n-1]
	*t = ticket{ack: ack, left: 1}
	return t
}

// drop gives back one hold on a ticket; the last one acknowledges.
func (l *loop) drop(t *ticket) {
	if t == nil {
		return
	}
	if t.left--; t.left == 0 {
		t.ack.Ack()
		*t = ticket{}
		l.tickets = append(l.tickets, t)
	}
}

// offer makes an event of an input for one daemon.
func (l *loop) offer(r *runner, t *target, in *Input) {
	port := t.port
	d := port.to
	if in.Retained && port.Retained == Skip {
		d.tally.Repeated++
		return
	}
	p := &r.scratch
	*p = pending{port: port, retained: in.Retained && port.Retained == Once}
	ev := &p.event
	ev.Trigger, ev.Topic, ev.Payload = in.Trigger, in.Topic, in.Payload
	if port.Decode != nil {
		if err := port.Decode(in.Topic, in.Payload, ev); err != nil {
			d.tally.Undecoded++
			d.tally.LastError = err.Error()
			return
		}
	}
	if t.last != nil {
		hash := hashOf(ev.Payload)
		unchanged := t.last.sum() == hash
		if t.last.hash = hash; unchanged && p.retained {
			d.tally.Repeated++
			return
		}
		p.retained = false
	}
	if in.Dup && d.twins.take(ev) {
		d.tally.Duplicate++
		return
	}
	if ev.Daemon == "" {
		*port.accepted++
		ev.Link = mesh.Link{Origin: port.origin, Sequence: *port.accepted}
	}
	if p.lossy = !d.durable || in.QoS == 0; d.durable && r.ticket != nil {
		p.ticket = r.ticket
		p.ticket.left++
	}
	if port.reorder != nil && port.reorder.take(l, r, p) {
		return
	}
	l.deliver(r, d, p)
}

// acceptCall takes an event from another daemon, or one that could not go the direct way.
func (l *loop) acceptCall(r *runner, c *call) {
	p := &r.scratch
	c.fill(p)
	c.chunk = nil
	if p.port.to.gone {
		l.arena.release(p.chunk)
		return
	}
	if c.noted {
		l.take(r, p.port.to, p)
		return
	}
	l.deliver(r, p.port.to, p)
}

// deliver takes an event to its daemon, unless the daemon has seen it. It copies what it keeps.
func (l *loop) deliver(r *runner, d *daemon, p *pending) {
	if d.phase == Failed {
		l.stats.Withheld++ // its hold on the ticket is never given back
		l.arena.release(p.chunk)
		return
	}
	if !l.repeated(d, p) {
		l.take(r, d, p)
	}
}

// take has an event processed, or puts it into the inbox.
func (l *loop) take(r *runner, d *daemon, p *pending) {
	if d.inbox.len() == 0 && d.ready() && (!d.durable || (p.lossy || !l.wary(d)) && l.room() != nil) {
		l.step(r, d, p)
		return
	}
	l.enqueue(d, p)
}

// repeated drops an event that the daemon has seen. One that still waits gets the ticket of its repeat.
func (l *loop) repeated(d *daemon, p *pending) bool {
	ev := &p.event
	if ev.Trigger != mesh.Message {
		return false
	}
	if p.retained && d.ledger.unchanged(ev) {
		d.tally.Repeated++
		l.discard(p)
		return true
	}
	if !d.durable && ev.Daemon != "" && ev.Daemon == p.port.From {
		if p.port.newer(ev.Epoch, ev.Incarnation, ev.Link.Sequence) {
			return false
		}
		d.tally.Duplicate++
		l.discard(p)
		return true
	}
	switch d.ledger.dedup.Check(ev) {
	case mesh.Fresh:
		if ev.ID.IsZero() && ev.Daemon == "" || d.inbox.len() == 0 {
			return false
		}
		twin := d.inbox.find(ev)
		if twin == nil {
			return false
		}
		if p.ticket != nil && twin.loose() {
			twin.twins = append(twin.twins, p.ticket)
			p.ticket = nil
		}
		d.tally.Duplicate++
	case mesh.Repeated:
		d.tally.Duplicate++
	default:
		d.tally.Late++
	}
	l.discard(p)
	return true
}

// discard lets go of an event that will not be processed.
func (l *loop) discard(p *pending) {
	l.arena.release(p.chunk)
	p.chunk = nil
	l.settle(p)
}

// settle acknowledges the input of an event, once all that went before is on disk: it may repeat a step that is not
// yet.
func (l *loop) settle(p *pending) {
	for _, t := range append(p.twins, p.ticket) {
		switch {
		case t == nil:
		case l.group != nil && !l.group.empty():
			l.group.tickets = append(l.group.tickets, t)
		case l.inFlight > 0:
			l.newest.tickets = append(l.newest.tickets, t)
		default:
			l.drop(t)
		}
	}
	p.ticket, p.twins = nil, nil
}

// step has a daemon process an event.
func (l *loop) step(r *runner, d *daemon, p *pending) {
	p.event.Time, p.event.Wall = max(l.now+d.shift, d.ledger.time), l.wall
	r.event = p.event
	r.inside, r.doing, r.work = d, process, p
	impl, start := d.impl, l.clock.Boot()
	r.enter(noPlace)
	err := impl.Process(&r.event, &r.out)
	r.leave()
	r.work = nil
	d.note(l.clock.Boot() - start)
	d.tally.Events++
	d.ledger.apply(&p.event)
	if !d.durable {
		l.finish(r, d, err)
		l.arena.release(p.chunk)
		return
	}
	l.record(d, p, &r.out, verdict(&r.out, err))
	r.out.Reset()
	if d.steps++; d.snapshotDue(l.now) {
		l.snapshot(r, d)
	}
}

func verdict(out *mesh.Outputs, err error) error {
	if err == nil {
		err = out.Err()
	}
	return err
}

func (d *daemon) failed(err error) {
	d.tally.Failed++
	d.tally.LastError = err.Error()
}

// finish sends what a volatile daemon has emitted.
func (l *loop) finish(r *runner, d *daemon, err error) {
	if empty(&r.out) && err == nil {
		return
	}
	if err = verdict(&r.out, err); err != nil {
		d.failed(err)
		r.out.Reset()
		return
	}
	horizon := d.ledger.observer.Horizon()
	n := r.out.Len()
	d.tally.Outputs += uint64(n)
	for i := range n {
		payload := r.out.Payload(i)
		link := d.ledger.chain.Append(payload, horizon)
		if len(d.Sends) > 0 {
			l.publish(d, d.Sends, &departure{self: d.self, link: link, payload: payload, wall: l.wall})
		}
		if len(d.durables)+len(d.volatiles) > 0 {
			copied, chunk := l.arena.copy(payload)
			out := departure{self: d.self, link: link, payload: copied, chunk: chunk}
			l.share(d.durables, &out, 0)
			l.share(d.volatiles, &out, 0)
			l.arena.release(chunk)
		}
	}
	if r.out.Tasks() > 0 {
		d.begun++
	}
	for i := range r.out.Tasks() {
		task := mesh.Task{Step: mesh.Position(d.begun), Index: uint16(i), Bytes: bytes.Clone(r.out.Task(i))}
		d.ledger.tasks = append(d.ledger.tasks, task)
		l.pool.put(d, task)
		d.settle(l)
	}
	r.out.Reset()
}

// publish sends an output to the broker without a record.
func (l *loop) publish(d *daemon, sends []mesh.Send, out *departure) {
	if l.o.Hooks.Publish == nil {
		return
	}
	for i := range sends {
		l.leaving = Publication{
			Daemon: out.self.daemon, Epoch: out.self.epoch, Incarnation: out.self.incarnation, Link: out.link,
			Payload: out.payload, Wall: out.wall, Send: &sends[i],
		}
		l.o.Hooks.Publish(&l.leaving)
	}
}

// share puts an output into the queue of daemons of this node.
func (l *loop) share(ports []*port, out *departure, at mesh.Position) {
	for _, p := range ports {
		c := l.local.push(len(out.payload))
		if c == nil {
			p.to.tally.Dropped++
			continue
		}
		c.port, c.topic, c.payload, c.link, c.self = p, p.topic, out.payload, out.link, out.self
		c.chunk, c.at = out.chunk, at
		out.chunk.hold()
	}
}
