package dispatch

import (
	"bytes"
	"fmt"

	"github.com/edge-agent/edge-agent/mesh"
)

// room returns the group in hand, or a new one, or nil when all are on their way to the disk. A group may grow beyond
// its bounds between two punctuations.
func (l *loop) room() *group {
	if n := len(l.spare); l.group == nil && n > 0 {
		l.group, l.spare = l.spare[n-1], l.spare[:n-1]
		l.group.serial = l.serial + 1
	}
	return l.group
}

// punctuate hands the group over if it is time. No calls are staged then.
func (l *loop) punctuate(r *runner) {
	if g := l.group; g != nil && !g.empty() && (g.full() || g.due <= l.now || l.halted) {
		l.flush(r)
	}
}

// flush hands the group over. An output for a durable daemon that has not taken it goes along as given: a power cut
// must not come between the two.
func (l *loop) flush(r *runner) {
	l.recall(r, func(c *call) bool { return c.at != 0 })
	for _, d := range l.waiting {
		for _, p := range d.inbox.events {
			if d.inbox.loose > 0 && p.loose() && p.at != 0 {
				l.write(d, p)
			}
		}
	}
	g := l.group
	l.group, l.newest = nil, g
	l.serial++
	l.inFlight++
	l.stats.Groups++
	l.o.Journal.Commit(&g.Group)
}

// nextPosition numbers a record.
func (l *loop) nextPosition() mesh.Position {
	p := l.position
	l.position++
	return p
}

// begin opens the step of an event in the group in hand, which there is.
func (l *loop) begin(d *daemon, p *pending) *mesh.Step {
	g := l.group
	head := d.ledger.Head()
	g.Steps = append(g.Steps, mesh.Step{
		Position: l.nextPosition(), Daemon: d.ID, Epoch: head.Epoch, Incarnation: head.Incarnation, Head: head,
	})
	s := &g.Steps[len(g.Steps)-1]
	d.ledger.position = s.Position
	d.touch(l)
	if p == nil {
		return s
	}
	s.Event, s.At, s.Given = p.event, p.at, p.given
	if p.at != 0 {
		s.Event.Payload = nil
	}
	g.hold(p.chunk)
	l.arena.release(p.chunk)
	g.bytes += len(p.event.Payload)
	l.secure(p)
	return s
}

// touch notes that a record of the daemon is in the group in hand, and when that must be handed over.
func (d *daemon) touch(l *loop) {
	d.lastGroup = l.group.serial
	if d.Durability == Window {
		l.group.due = min(l.group.due, l.now+int64(d.Window))
		return
	}
	l.group.urgent()
}

func (g *group) hold(c *chunk) {
	if c != nil {
		c.hold()
		g.chunks = append(g.chunks, c)
	}
}

// secure has the input of an event acknowledged once the group in hand is on disk.
func (l *loop) secure(p *pending) {
	if p.ticket != nil {
		l.group.tickets = append(l.group.tickets, p.ticket)
	}
	l.group.tickets = append(l.group.tickets, p.twins...)
	p.ticket, p.twins = nil, nil
}

// record writes down what a durable daemon did with an event.
func (l *loop) record(d *daemon, p *pending, out *mesh.Outputs, err error) {
	s := l.begin(d, p)
	if err != nil {
		s.Failed = true
		d.failed(err)
	} else {
		l.keep(d, s, out)
	}
	s.Head = d.ledger.Head()
	l.group.heads = append(l.group.heads, committedHead{d, s.Head})
}

// keep links the outputs of a step and sends them where they may already go.
func (l *loop) keep(d *daemon, s *mesh.Step, out *mesh.Outputs) {
	g := l.group
	n := out.Len()
	s.Emitted = uint32(n)
	d.tally.Outputs += uint64(n)
	horizon := d.ledger.observer.Horizon()
	outs, tasks := len(g.outs), len(g.tasks)
	for i := range n {
		link := d.ledger.chain.Append(out.Payload(i), horizon)
		if len(d.kept)+len(d.sent)+len(d.durables)+len(d.volatiles) == 0 {
			continue
		}
		payload, chunk := l.arena.copy(out.Payload(i))
		leaving := departure{from: d, self: d.self, link: link, payload: payload, chunk: chunk, wall: l.wall}
		if len(d.kept)+len(d.durables) > 0 {
			at := l.nextPosition()
			g.outs = append(g.outs, mesh.Out{
				Position: at, Daemon: d.ID, Epoch: s.Epoch, Incarnation: s.Incarnation, Link: link, Payload: payload,
				Sends: d.kept,
			})
			l.share(d.durables, &leaving, at)
		}
		if len(d.sent)+len(d.volatiles) > 0 {
			g.leaving = append(g.leaving, leaving)
		}
		g.hold(chunk)
		l.arena.release(chunk)
		g.bytes += len(payload)
	}
	for i := range out.Tasks() {
		task := mesh.Task{Step: s.Position, Index: uint16(i), Bytes: bytes.Clone(out.Task(i))}
		g.tasks = append(g.tasks, task)
		g.begun = append(g.begun, begunTask{d, task})
		d.ledger.tasks = append(d.ledger.tasks, task)
	}
	s.Outs, s.Tasks = g.outs[outs:len(g.outs):len(g.outs)], g.tasks[tasks:len(g.tasks):len(g.tasks)]
}

// wary says that a daemon is in careful mode.
func (l *loop) wary(d *daemon) bool {
	if l.now >= d.cautious {
		d.careful = 0
	}
	return d.careful > 0
}

// mustGive says that events wait which are on no record but should be. A daemon that works takes them by and by: they
// stay unacknowledged until then, so that the broker sends no more than its window, and none has to be given up.
func (l *loop) mustGive(d *daemon) bool {
	return d.durable && (d.inbox.loose > 0 && !d.ready() || l.uncounted(d))
}

// uncounted says that the next event must not be tried before the try is on record: it may have killed the process.
func (l *loop) uncounted(d *daemon) bool {
	if !d.ready() || !l.wary(d) || d.inbox.len() == 0 {
		return false
	}
	next := d.inbox.events[0]
	return !next.counted && !next.doomed && !next.lossy
}

// give writes the events that wait for a daemon but are on no record, if there is a group.
func (l *loop) give(d *daemon) {
	for _, p := range d.inbox.events {
		if p.loose() && l.room() != nil {
			l.write(d, p)
		}
	}
}

// write puts an event on record before it is processed.
func (l *loop) write(d *daemon, p *pending) {
	g := l.group
	if p.loose() {
		d.inbox.loose--
	}
	p.written, p.commit = true, g.serial
	if p.given == 0 {
		p.given = l.nextPosition()
		d.tally.Spilled++
	}
	if p == d.inbox.events[0] && l.uncounted(d) {
		p.counted = true
		p.attempts++
		d.careful--
	}
	given := mesh.Given{Position: p.given, Daemon: d.ID, Attempt: p.attempts, Event: p.event, At: p.at}
	if p.at != 0 {
		given.Event.Payload = nil
	}
	g.Givens = append(g.Givens, given)
	g.bytes += len(p.event.Payload)
	d.touch(l)
	l.secure(p)
}

// complete lets go what a group held back.
func (l *loop) complete(c completion) {
	g := c.group
	l.inFlight--
	if l.newest == g {
		l.newest = nil
	}
	if c.err != nil {
		l.fail(c.err)
	}
	if g.serial <= l.failed {
		l.lose(g, fmt.Errorf("the group may not be on disk: %w", mesh.ErrStale))
		return
	}
	l.committed = g.serial
	for _, h := range g.heads {
		h.of.committed = h.head
	}
	for _, t := range g.tickets {
		l.drop(t)
	}
	for i := range g.leaving {
		out := &g.leaving[i]
		l.publish(out.from, out.from.sent, out)
		l.share(out.from.volatiles, out, 0)
	}
	for _, b := range g.begun {
		l.pool.put(b.of, b.task)
	}
	for _, f := range g.then {
		f(nil)
	}
	l.recycle(g)
}

func (l *loop) recycle(g *group) {
	for _, c := range g.chunks {
		l.arena.release(c)
	}
	g.reset()
	l.spare = append(l.spare, g)
	for _, c := range l.blocked {
		l.commands.put(c)
	}
	l.blocked = l.blocked[:0]
}

// lose gives a group up.
func (l *loop) lose(g *group, err error) {
	l.stats.Withheld += uint64(len(g.tickets))
	for _, f := range g.then {
		f(err)
	}
	l.recycle(g)
}

// fail stops every durable daemon: memory must not run ahead of a disk that may not have followed.
func (l *loop) fail(err error) {
	l.failed = l.serial
	if g := l.group; g != nil {
		l.group = nil
		l.lose(g, err)
	}
	first := false
	for _, d := range l.all {
		if !d.durable || d.phase == Failed {
			continue
		}
		first = true
		d.phase, d.crash, d.inbox, d.results = Failed, nil, inbox{}, nil
	}
	if first && l.o.Hooks.Failed != nil {
		l.o.Hooks.Failed(err)
	}
}
