package dispatch

import (
	"container/heap"
	"math"

	"github.com/edge-agent/edge-agent/mesh"
)

// timers are the ports with an interval and the daemons with timed snapshots, the next one due first.
type timers []*timer

type timer struct {
	at    int64 // boot time
	every int64
	fire  func(r *runner, missed uint64)
	place int
}

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}

// Push and Pop are for package heap.
func (t *timers) Push(x any) {
	x.(*timer).place = len(*t)
	*t = append(*t, x.(*timer))
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return x
}

func (t timers) first() (int64, bool) {
	if len(t) == 0 {
		return math.MaxInt64, false
	}
	return t[0].at, true
}

func (t timers) due(now int64) bool { return len(t) > 0 && t[0].at <= now }

// fire calls the timers that are due. Intervals that passed meanwhile are counted, not made up.
func (l *loop) fire(r *runner) {
	for l.timers.due(l.now) {
		t := l.timers[0]
		missed := (l.now - t.at) / t.every
		t.at += (missed + 1) * t.every
		heap.Fix(&l.timers, 0)
		t.fire(r, uint64(missed))
	}
}

// every begins the interval of a port. Ticks that a daemon missed before it was added are told of with the first one,
// which then comes at once.
func (l *loop) every(p *port, missed uint64) {
	at := l.now + p.Every
	if missed > 0 {
		at, p.missed = l.now, missed-1
	}
	p.timer = l.at(at, p.Every, func(r *runner, missed uint64) { l.tickOf(r, p, missed) })
}

// at opens a timer.
func (l *loop) at(at, every int64, fire func(r *runner, missed uint64)) *timer {
	t := &timer{at: at, every: every, fire: fire}
	heap.Push(&l.timers, t)
	return t
}

func (t *timers) set(x *timer, at int64) {
	x.at = at
	heap.Fix(t, x.place)
}

func (l *loop) tickOf(r *runner, p *port, missed uint64) {
	d := p.to
	if p.queued {
		p.missed += missed + 1
		return
	}
	*p.accepted++
	e := &r.scratch
	*e = pending{port: p, lossy: true, event: mesh.Event{
		Trigger: mesh.Tick, Link: mesh.Link{Origin: p.origin, Sequence: *p.accepted}, Missed: p.missed + missed,
	}}
	p.missed, p.queued = 0, true
	l.deliver(r, d, e)
	p.queued = d.inbox.waits(p)
}

// waits says that a tick of the port is in the inbox.
func (b *inbox) waits(p *port) bool {
	for _, e := range b.events {
		if e.port == p && e.event.Trigger == mesh.Tick {
			return true
		}
	}
	return false
}

func (l *loop) cancel(t *timer) {
	if t != nil {
		heap.Remove(&l.timers, t.place)
	}
}
