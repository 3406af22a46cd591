package dispatch

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// A port holds at most maxHeld inputs of at most maxOrdered sources; beyond it the first in line goes on.
const (
	maxHeld    = 256
	maxOrdered = 64
)

// reorder holds numbered inputs of a port back until those before them have come, or have not come in time.
type reorder struct {
	port    *port
	timer   *timer
	sources map[string]*order
	held    int
}

// order is where one source stands.
type order struct {
	next uint64 // number that goes on at once
	held []held // by number
}

type held struct {
	number uint64
	until  int64 // boot time
	event  *pending
}

func newReorder(l *loop, p *port) *reorder {
	o := &reorder{port: p, sources: make(map[string]*order)}
	o.timer = l.at(math.MaxInt64, 1, func(r *runner, _ uint64) { o.expire(l, r) })
	return o
}

// take delivers or holds an input. It returns false for one without a number.
func (o *reorder) take(l *loop, r *runner, p *pending) bool {
	number, ok := p.event.ID.Number()
	name := p.event.Source
	if p.event.Daemon != "" {
		number, name, ok = p.event.Link.Sequence, "\x00"+string(p.event.Daemon), true
	}
	if !ok {
		return false
	}
	s := o.sources[name]
	if s == nil {
		if len(o.sources) >= maxOrdered {
			return false
		}
		s = &order{next: number}
		o.sources[name] = s
	}
	if number <= s.next {
		l.deliver(r, o.port.to, p)
		if number == s.next {
			s.next++
			o.release(l, r, s)
		}
		return true
	}
	at, twin := slices.BinarySearchFunc(s.held, number, func(h held, n uint64) int {
		return cmp.Compare(h.number, n)
	})
	if twin {
		kept := s.held[at].event
		if p.ticket != nil {
			kept.twins = append(kept.twins, p.ticket)
		}
		o.port.to.tally.Duplicate++
		return true
	}
	kept := new(pending)
	*kept = *p
	s.held = slices.Insert(s.held, at, held{number, l.now + o.port.Hold, kept})
	if o.held++; o.held > maxHeld {
		s.next = s.held[0].number
		o.release(l, r, s)
	}
	o.rearm(l)
	return true
}

// release delivers what is next in line.
func (o *reorder) release(l *loop, r *runner, s *order) {
	for len(s.held) > 0 && s.held[0].number == s.next {
		first := s.held[0].event
		s.held = slices.Delete(s.held, 0, 1)
		o.held--
		s.next++
		l.deliver(r, o.port.to, first)
	}
}

// expire gives up waiting for inputs that have not come in time.
func (o *reorder) expire(l *loop, r *runner) {
	for _, name := range slices.Sorted(maps.Keys(o.sources)) {
		for s := o.sources[name]; len(s.held) > 0 && s.held[0].until <= l.now; {
			s.next = s.held[0].number
			o.release(l, r, s)
		}
	}
	o.rearm(l)
}

// rearm sets the timer to the first input that may not wait longer.
func (o *reorder) rearm(l *loop) {
	at := int64(math.MaxInt64)
	for _, s := range o.sources {
		for _, h := range s.held {
			at = min(at, h.until)
		}
	}
	l.timers.set(o.timer, at)
}

// drain delivers all that is held.
func (o *reorder) drain(l *loop, r *runner) {
	for _, name := range slices.Sorted(maps.Keys(o.sources)) {
		for s := o.sources[name]; len(s.held) > 0; {
			s.next = s.held[0].number
			o.release(l, r, s)
		}
	}
}
