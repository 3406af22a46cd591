package dispatch

import (
	"slices"
	"sync"

	"github.com/edge-agent/edge-agent/mesh"
)

// sticky is what a daemon has still to hear: each signal at most once, with its latest grace, and of backpressure the
// latest. So it needs no queue that could be full.
type sticky struct {
	mu      sync.Mutex
	waiting []mesh.Control
	// pressure is the backpressure last asked for, which a new instance hears as well.
	pressure mesh.Control
}

func pressure(s mesh.Signal) bool { return s == mesh.BackpressureOn || s == mesh.BackpressureOff }

// put reports whether nothing was waiting before.
func (s *sticky) put(c mesh.Control) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.waiting) == 0
	s.waiting = slices.DeleteFunc(s.waiting, func(old mesh.Control) bool {
		return old.Signal == c.Signal || pressure(old.Signal) && pressure(c.Signal)
	})
	s.waiting = append(s.waiting, c)
	if pressure(c.Signal) {
		s.pressure = c
	}
	return first
}

// renew has a new instance hear of backpressure that is on.
func (s *sticky) renew() {
	if s.pressure.Signal == mesh.BackpressureOn {
		s.put(s.pressure)
	}
}

func (s *sticky) some() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}

func (s *sticky) pop() (mesh.Control, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return mesh.Control{}, false
	}
	c := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	return c, true
}

// signal tells a daemon what it has to hear.
func (l *loop) signal(r *runner, d *daemon) {
	for d.phase == Running && d.Mode != Frozen && l.roomFor(d) {
		c, ok := d.sticky.pop()
		if !ok {
			return
		}
		heard, ok := d.impl.(mesh.Controlled)
		if !ok {
			continue
		}
		r.inside, r.doing, r.work = d, "OnControl", nil
		start := l.clock.Boot()
		r.enter(noPlace)
		heard.OnControl(c)
		r.leave()
		d.late(l.clock.Boot() - start)
		if d.durable {
			l.begin(d, nil).Control = c
		}
	}
}
