package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

const watchTick = 100 * time.Millisecond

// errInFlight says that the journal kept groups for too long at the end.
var errInFlight = errors.New("the journal did not finish its groups")

// watchdog sees that calls into daemons return. It is the one goroutine that may take the loop from a runner.
type watchdog struct {
	loop  *loop
	word  uint64
	ticks int // seen with the same word
	lost  []*lost
}

// lost is a runner whose call has not returned.
type lost struct {
	gone  <-chan struct{}
	of    mesh.DaemonID
	ticks int
}

// Run is the loop and its watchdog. It works until the context ends, and then finishes the event in hand and waits for
// the journal to finish its groups.
func (h *Host) Run(ctx context.Context) error {
	l := h.loop
	ticks := l.o.Ticks
	if ticks == nil {
		ticker := time.NewTicker(watchTick)
		defer ticker.Stop()
		ticks = ticker.C
	}
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	worked := l.pool.run(work)
	go l.runner.Load().run()
	w := &watchdog{loop: l}
	ending := ctx.Done()
	left := -1
	for {
		select {
		case <-ending:
			ending, left = nil, l.o.Hard+l.o.Quit
			endWork()
			l.stop.Store(true)
			l.bell.ring()
		case <-ticks:
			w.tick()
			if left > 0 {
				left--
			}
			if left == 0 && !l.expired.Swap(true) {
				l.bell.ring()
			}
		case <-l.ended:
			select {
			case <-worked:
			case <-time.After(watchTick): // a task that does not heed its context is left behind
			}
			if l.inFlight > 0 {
				return errInFlight
			}
			return nil
		}
	}
}

// finished says that the loop has nothing more to do after it was stopped.
func (l *loop) finished() bool {
	return l.stop.Load() && (l.expired.Load() || l.inFlight == 0 && (l.group == nil || l.group.empty()))
}

// tick counts how often the same call was seen.
func (w *watchdog) tick() {
	l := w.loop
	r := l.runner.Load()
	word := r.state.Load()
	switch {
	case word&insideBit == 0 || word != w.word:
		w.word, w.ticks = word, 0
	default:
		w.ticks++
		r.hurry.Store(true)
	}
	if w.ticks >= l.o.Hard && r.state.CompareAndSwap(word, abandoned) {
		w.ticks = 0
		w.lost = append(w.lost, &lost{gone: r.gone, of: l.takeOver(r, word)})
	}
	w.quit()
}

// takeOver gives the loop to a new runner and returns the daemon that the old one is held up by.
func (l *loop) takeOver(old *runner, word uint64) mesh.DaemonID {
	next, fan := old.next, old.fan
	d, work, reply := old.inside, old.work, old.reply
	at := place(word)
	if at != noPlace {
		d = old.calls[at].port.to
		for next = at; next < old.count && old.calls[next].direct && old.calls[next].port.to == d; next++ {
			d.tally.Dropped++ // nobody knows how far the run of calls came
			old.calls[next].port.events--
		}
		work, reply = nil, nil
	}
	l.stats.Abandoned++
	reason := "stuck in " + old.doing
	l.crash(d, work, reason, nil, true)
	l.succeed(old, next, fan)
	if reply != nil {
		reply(&mesh.Error{Daemon: d.ID, Kind: mesh.ErrStale, Cause: errors.New(reason)})
	}
	return d.ID
}

// quit tells of calls that have not returned long after the loop went on without them.
func (w *watchdog) quit() {
	left := w.lost[:0]
	for _, lost := range w.lost {
		select {
		case <-lost.gone:
			continue
		default:
		}
		if lost.ticks++; lost.ticks == w.loop.o.Quit && w.loop.o.Hooks.Stuck != nil {
			w.loop.commands.put(func(*runner) bool {
				w.loop.o.Hooks.Stuck(lost.of)
				return true
			})
		}
		left = append(left, lost)
	}
	clear(w.lost[len(left):])
	w.lost = left
}
