package dispatch

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/edge-agent/edge-agent/mesh"
)

// batch is how many calls a runner stages at once.
const batch = 512

// runner is the goroutine that owns the loop, with all that it must not share. When a call into a daemon does not
// return, the watchdog takes the loop from it and gives it to a new runner; the old one must then touch nothing but
// itself. So it marks in state when it goes into a daemon, and everything that it reads or writes while inside is its
// own.
type runner struct {
	loop *loop
	// state is a word: the round, the place in calls, and whether the runner is inside a daemon. The runner alone moves
	// it, but for the watchdog, which may swap a word that is inside for abandoned. Whoever swaps first owns the loop.
	state atomic.Uint64
	// hurry is set by the watchdog when a call lasts: the runner shows its progress with each event then.
	hurry atomic.Bool
	gone  chan struct{} // closed when the goroutine has ended

	word   uint64 // state as the runner left it
	inputs [laneTurn]Input
	calls  [batch]call
	next   int // of calls; those before are done
	count  int
	fan    int     // targets of the input in calls[next] that are done
	ticket *ticket // of that input

	event     mesh.Event
	out       mesh.Outputs
	scratch   pending
	first     int  // of the calls that are being made directly
	at        int  // the one in hand
	skip      int  // calls until one is measured
	unchecked int  // calls since the clock was read
	measured  bool // one of them was
	wary      int  // batches for which each call is measured
	samples   []sample

	// Set before going inside with noPlace, and kept until outside.
	inside *daemon
	doing  string
	work   *pending    // the event in hand
	reply  func(error) // who waits for the daemon's answer
}

// sample is how long one call took.
type sample struct {
	of *daemon
	ns int64
}

func newRunner(l *loop) *runner {
	return &runner{loop: l, gone: make(chan struct{}), samples: make([]sample, 0, batch)}
}

const (
	insideBit  = 1
	placeShift = 1
	placeBits  = 16
	roundOne   = 1 << (placeShift + placeBits)
	noPlace    = 1<<placeBits - 1 // inside with an event or a request that is not in calls
	abandoned  = ^uint64(0)
)

func place(word uint64) int { return int(word >> placeShift & noPlace) }

// enter goes inside a daemon.
func (r *runner) enter(at int) {
	r.word = r.word&^(roundOne-1) + roundOne | uint64(at)<<placeShift | insideBit
	r.state.Store(r.word)
}

// leave comes back from a daemon. It does not return when the loop is no longer the runner's.
func (r *runner) leave() { r.swap(r.word &^ insideBit) }

// move goes from one call right into the next, without touching anything that is shared.
func (r *runner) move(at int) {
	r.swap(r.word&^(noPlace<<placeShift) | uint64(at)<<placeShift)
}

func (r *runner) swap(word uint64) {
	if !r.state.CompareAndSwap(r.word, word) {
		runtime.Goexit()
	}
	r.word = word
}

// run works until the loop is stopped or taken away.
func (r *runner) run() {
	defer close(r.gone)
	l := r.loop
	for !l.finished() {
		if !r.guarded() {
			l.sleep()
		}
	}
	close(l.ended)
}

// guarded is one pass of the loop. A panic of a daemon ends the pass, and is the daemon's alone.
func (r *runner) guarded() (more bool) {
	returned := false
	defer func() {
		if returned || r.word&insideBit == 0 {
			return // a panic of the loop itself is not held back
		}
		reason := recover()
		if r.state.Load() == abandoned {
			runtime.Goexit()
		}
		exiting := reason == nil
		if exiting {
			reason = "runtime.Goexit was called"
		}
		stack := debug.Stack()
		r.leave()
		r.crashed(fmt.Sprintf("panic in %s: %v", r.doing, reason), stack)
		if exiting {
			r.loop.succeed(r, r.next, r.fan)
		}
		more = true
	}()
	more = r.loop.pass(r)
	returned = true
	return more
}

// crashed puts away the call that ended in a panic.
func (r *runner) crashed(reason string, stack []byte) {
	l := r.loop
	r.out.Reset()
	if at := place(r.word); at != noPlace {
		r.next = r.at + 1
		c := &r.calls[r.at]
		p := c.pending()
		c.chunk = nil
		c.port.events--
		r.conclude()
		l.crash(c.port.to, p, reason, stack, false)
		return
	}
	l.crash(r.inside, r.work, reason, stack, false)
	if r.reply != nil {
		r.reply(&mesh.Error{Daemon: r.inside.ID, Kind: mesh.ErrProcess, Cause: fmt.Errorf("%s", reason)})
	}
	r.work, r.reply = nil, nil
}

// succeed starts a new runner, which goes on behind the calls that the old one has begun.
func (l *loop) succeed(old *runner, next, fan int) *runner {
	r := newRunner(l)
	r.calls, r.next, r.count, r.fan, r.ticket = old.calls, next, old.count, fan, old.ticket
	l.runner.Store(r)
	go r.run()
	return r
}
