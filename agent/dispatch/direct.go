package dispatch

import "github.com/edge-agent/edge-agent/mesh"

const (
	// One call in sparse is measured, and the clock read once for so many. After a time above suspicious all calls are
	// measured, until the clock has been read wariness times.
	sparse     = 128
	wariness   = 64
	suspicious = int64(defaultSoft)
)

// stage turns up to n inputs of a lane into calls and returns how many it took. They are all direct or none of them is,
// so that what is noted now and what is noted later stay in order.
func (r *runner) stage(lane *Lane, n uint32) uint32 {
	l := r.loop
	if !l.fresh {
		l.tick()
	}
	r.next, r.count = 0, 0
	i := uint32(0)
	var last *Input
	var targets []target
	for ; i < n && r.count < batch; i++ {
		in := lane.at(i)
		if last == nil || in.Topic != last.Topic || in.Trigger != last.Trigger {
			targets = l.targets(in)
		}
		last = in
		plain := r.plain(in, targets)
		if r.count > 0 && plain != r.calls[0].direct {
			break
		}
		if !plain {
			r.inputs[i] = *in
			r.calls[r.count] = call{input: &r.inputs[i]}
			r.count++
			continue
		}
		for j := range targets {
			r.direct(&targets[j], in)
		}
		if in.Ack != nil {
			l.stats.Unclaimed++
			in.Ack.Ack()
		}
	}
	lane.take(i)
	return i
}

// plain says that an input can go straight to each of its daemons.
func (r *runner) plain(in *Input, targets []target) bool {
	if in.Retained || in.Trigger != mesh.Message || len(targets) == 0 || len(targets) > batch-r.count {
		return false
	}
	for i := range targets {
		if !targets[i].port.direct {
			return false
		}
	}
	return true
}

func (r *runner) direct(t *target, in *Input) {
	p := t.port
	*p.accepted++
	if t.last != nil {
		t.last.set(in.Payload)
	}
	c := &r.calls[r.count]
	r.count++
	c.port, c.topic, c.payload = p, in.Topic, in.Payload
	c.link = mesh.Link{Origin: p.origin, Sequence: *p.accepted}
	c.self, c.chunk, c.at, c.input = nil, nil, 0, nil
	p.expect(c, r.loop.now)
}

// expect notes a direct call before it is made, and gives it what it takes to make it.
func (p *port) expect(c *call, now int64) {
	c.impl, c.time, c.direct, c.noted = p.impl, now+p.shift, true, true
	if p.observed != c.link.Origin {
		p.observed = c.link.Origin
		p.to.ledger.observer.Observe(p.observed)
	}
	p.events++
}

// stageLocal turns events from daemon to daemon into calls and returns how many it took.
func (r *runner) stageLocal() int {
	l := r.loop
	r.next, r.count = 0, 0
	n := min(l.local.len(), batch)
	for range n {
		c := &r.calls[r.count]
		l.local.pop(c)
		p := c.port
		if p.to.gone {
			l.arena.release(c.chunk)
			continue
		}
		r.count++
		if !p.direct {
			continue
		}
		if !p.newer(c.self.epoch, c.self.incarnation, c.link.Sequence) {
			p.to.tally.Duplicate++
			l.arena.release(c.chunk)
			r.count--
			continue
		}
		p.expect(c, l.now)
	}
	return n
}

// newer notes an output of a producer, and says whether it lies behind those seen. It is all that a volatile daemon
// keeps of a chain.
func (p *port) newer(epoch uint64, incarnation uint32, sequence uint64) bool {
	if epoch != p.epoch || incarnation != p.incarnation {
		if epoch < p.epoch || epoch == p.epoch && incarnation < p.incarnation {
			return false
		}
		p.epoch, p.incarnation, p.highest = epoch, incarnation, 0
	}
	if sequence <= p.highest {
		return false
	}
	p.highest = sequence
	return true
}

// drain makes the staged calls.
func (r *runner) drain() {
	l := r.loop
	l.fresh = l.fresh && r.next == r.count
	for r.next < r.count {
		if l.unsettled {
			l.resettle(r)
		}
		c := &r.calls[r.next]
		switch {
		case c.direct:
			r.directly()
		case c.input != nil:
			l.accept(r, c.input)
			r.next++
		default:
			r.next++
			l.acceptCall(r, c)
		}
	}
}

// directly makes the calls that are direct, up to the first that is not. While inside it moves from daemon to daemon by
// one swap of its state, and within a run of calls for one daemon by none: until it leaves it uses nothing but what is
// its own, so that it harms nobody when the loop has been taken from it in the meantime.
func (r *runner) directly() {
	l := r.loop
	r.first = r.next
	every := sparse
	if r.wary > 0 {
		every, r.skip = 1, 0
	}
	clock, wall := l.clock, l.wall
	for i := r.next; i < r.count && r.calls[i].direct && !l.unsettled; i = r.next {
		c := &r.calls[i]
		d, impl := c.port.to, c.impl
		r.doing = process
		for r.enter(i); ; i++ {
			r.fill(c, wall)
			r.at = i
			var err error
			if r.skip == 0 {
				r.skip = every
				start := clock.Boot()
				err = impl.Process(&r.event, &r.out)
				r.samples = append(r.samples, sample{d, clock.Boot() - start})
			} else {
				err = impl.Process(&r.event, &r.out)
			}
			r.skip--
			if err != nil || !empty(&r.out) || i+1 == r.count || !r.calls[i+1].direct {
				r.leave()
				r.next = i + 1
				l.finish(r, d, err)
				break
			}
			c = &r.calls[i+1]
			if to := c.port.to; to != d {
				r.move(i + 1)
				d, impl = to, c.impl
			} else if r.hurry.Load() {
				r.hurry.Store(false)
				r.move(i + 1)
			}
		}
	}
	r.conclude()
}

func empty(out *mesh.Outputs) bool { return out.Len()+out.Tasks() == 0 && out.Err() == nil }

// resettle looks again at the calls that have not been made, after something changed about their daemons.
func (l *loop) resettle(r *runner) {
	l.unsettled = false
	for i := r.next; i < r.count; i++ {
		if c := &r.calls[i]; c.direct && !c.port.direct {
			c.direct = false
			c.port.events--
		}
	}
}

// fill makes the event of a call.
func (r *runner) fill(c *call, wall int64) {
	ev := &r.event
	ev.Trigger, ev.Link = mesh.Message, c.link
	if c.self != nil {
		ev.Daemon, ev.Epoch, ev.Incarnation = c.self.daemon, c.self.epoch, c.self.incarnation
	} else {
		ev.Daemon, ev.Epoch, ev.Incarnation = "", 0, 0
	}
	ev.Source, ev.ID, ev.Topic = "", mesh.ID{}, c.topic
	ev.Time, ev.Wall, ev.Missed, ev.Failed = c.time, wall, 0, ""
	ev.Payload = c.payload
}

// conclude notes what was measured and lets go of the payloads.
func (r *runner) conclude() {
	l := r.loop
	r.measured = r.measured || len(r.samples) > 0
	for i := range r.samples {
		r.samples[i].of.note(r.samples[i].ns)
	}
	r.samples = r.samples[:0]
	for i := r.first; i < r.next; i++ {
		if c := &r.calls[i]; c.chunk != nil {
			l.arena.release(c.chunk)
			c.chunk = nil
		}
	}
	if r.unchecked += r.next - r.first; r.unchecked >= sparse {
		r.check()
	}
}

// check looks whether the calls since the clock was last read took suspiciously long. One that was alone is to blame.
func (r *runner) check() {
	l := r.loop
	calls, measured, before := r.unchecked, r.measured, l.now
	if r.unchecked, r.measured = 0, false; calls == 0 {
		return
	}
	l.tick()
	took := l.now - before
	if r.wary > 0 {
		r.wary--
	}
	if took <= suspicious {
		return
	}
	if r.wary = wariness; calls == 1 && !measured {
		r.calls[r.first].port.to.note(took)
	}
}
