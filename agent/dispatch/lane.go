package dispatch

import "sync/atomic"

// Lane is the queue of one producer to the loop. Only one goroutine at a time may post to it; none of its methods
// blocks.
type Lane struct {
	name  string
	bell  *bell
	slots []Input // slot i holds input i modulo the length, a power of two
	mask  uint32

	_ [64]byte

	// The producer's. tail counts the inputs that the loop may see, staged those in the ring; both wrap around.
	tail     atomic.Uint32
	staged   uint32
	headSeen uint32
	full     atomic.Uint64

	_ [64]byte

	// The loop's. head counts the inputs taken; the slots from head to tail are the loop's, the rest the producer's.
	head     atomic.Uint32
	tailSeen uint32
	taken    uint64
}

func newLane(name string, size int, b *bell) *Lane {
	n := uint32(1)
	for n < uint32(min(max(size, 2), 1<<20)) {
		n <<= 1
	}
	return &Lane{name: name, bell: b, slots: make([]Input, n), mask: n - 1}
}

// Post hands over an input and wakes the loop. False means that the lane is full; the input was not taken.
func (l *Lane) Post(in *Input) bool {
	ok := l.Stage(in)
	l.Flush()
	return ok
}

// Stage is Post without waking the loop: Flush must follow at the end of a burst.
func (l *Lane) Stage(in *Input) bool {
	if l.staged-l.headSeen > l.mask {
		if l.headSeen = l.head.Load(); l.staged-l.headSeen > l.mask {
			l.full.Add(1)
			return false
		}
	}
	l.slots[l.staged&l.mask] = *in
	l.staged++
	return true
}

// Flush lets the loop see what was staged, and wakes it if it sleeps.
func (l *Lane) Flush() {
	l.tail.Store(l.staged)
	l.bell.ring()
}

// ready is how many inputs can be taken.
func (l *Lane) ready() uint32 {
	n := l.tailSeen - l.head.Load()
	if n == 0 {
		l.tailSeen = l.tail.Load()
		n = l.tailSeen - l.head.Load()
	}
	return n
}

// at is the input i of those ready, valid until it is taken.
func (l *Lane) at(i uint32) *Input { return &l.slots[(l.head.Load()+i)&l.mask] }

// take gives the slots of the first n inputs back to the producer.
func (l *Lane) take(n uint32) {
	head := l.head.Load()
	for i := range n {
		l.slots[(head+i)&l.mask] = Input{}
	}
	l.taken += uint64(n)
	l.head.Store(head + n)
}

// depth may be read by anyone.
func (l *Lane) depth() int { return int(l.tail.Load() - l.head.Load()) }

// bell wakes the loop. Whoever hands something over rings it afterwards; the loop looks for work once more after it has
// said that it sleeps, so that either of them sees the other.
type bell struct {
	sleeping atomic.Bool
	c        chan struct{}
}

func newBell() *bell { return &bell{c: make(chan struct{}, 1)} }

// ring wakes the loop once, however many ring.
func (b *bell) ring() {
	if b.sleeping.Load() && b.sleeping.CompareAndSwap(true, false) {
		select {
		case b.c <- struct{}{}:
		default:
		}
	}
}

// sleep waits for a ring or an alarm, unless there is work.
func (b *bell) sleep(work func() bool) {
	b.sleeping.Store(true)
	if !work() {
		<-b.c
	}
	b.sleeping.Store(false)
}
