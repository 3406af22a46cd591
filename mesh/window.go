package mesh

import (
	"cmp"
	"slices"
	"time"

	"github.com/zeebo/xxh3"
)

// Window is what a daemon's deduplication remembers of one source, in the form a snapshot keeps.
type Window struct {
	// Daemon is set when the source is the chain of a daemon, whose ids are its sequences; else Source names it.
	Daemon      DaemonID
	Source      string
	Epoch       uint64
	Incarnation uint32
	// Low is the least number that can still be told: those below it are late.
	Low  uint64
	Runs []Run
	// Texts are the ids that are not numbers, oldest first.
	Texts []SeenText
	// Past and Recent are the highest numbers at two rotations, the later at event time Rotated.
	Past, Recent uint64
	Rotated      int64
}

// Run is an unbroken range of numbers, both ends included.
type Run struct{ First, Last uint64 }

// SeenText is a text id by its 128-bit hash, and the event time at which it was seen.
type SeenText struct {
	Hash [2]uint64
	Time int64
}

// window is a Window at work.
type window struct {
	key          sourceKey
	epoch        uint64
	incarnation  uint32
	numbers      numbers
	texts        texts
	older, newer *window
}

func (w *window) entries() int { return w.numbers.runs.len() + w.texts.queue.len() }

func (w *window) check(ev *Event, id ID) Verdict {
	switch compareOwner(ev.Epoch, ev.Incarnation, w.epoch, w.incarnation) {
	case 1:
		return Fresh
	case -1:
		return Stale
	}
	if n, ok := id.Number(); ok {
		return w.numbers.check(n)
	}
	if w.texts.has(hashText(id.text)) {
		return Repeated
	}
	return Fresh
}

// add remembers an id that check found fresh.
func (w *window) add(ev *Event, id ID, limits dedupLimits) {
	if compareOwner(ev.Epoch, ev.Incarnation, w.epoch, w.incarnation) > 0 {
		w.epoch, w.incarnation = ev.Epoch, ev.Incarnation
		w.numbers.reset()
		w.texts.reset()
	}
	if n, ok := id.Number(); ok {
		w.numbers.add(n, ev.Time, limits)
		return
	}
	w.texts.add(hashText(id.text), ev.Time, limits)
}

func (w *window) save() Window {
	return Window{
		Daemon: w.key.daemon, Source: w.key.source, Epoch: w.epoch, Incarnation: w.incarnation,
		Low: w.numbers.low, Runs: slices.Clone(w.numbers.runs.all()), Texts: slices.Clone(w.texts.queue.all()),
		Past: w.numbers.past, Recent: w.numbers.recent, Rotated: w.numbers.rotated,
	}
}

func (w *window) load(saved *Window, limits dedupLimits) {
	w.epoch, w.incarnation = saved.Epoch, saved.Incarnation
	w.numbers.load(saved, limits)
	w.texts.load(saved.Texts, limits)
}

// compareOwner orders owners of a chain: by epoch, then by incarnation.
func compareOwner(epoch uint64, incarnation uint32, otherEpoch uint64, otherIncarnation uint32) int {
	return cmp.Or(cmp.Compare(epoch, otherEpoch), cmp.Compare(incarnation, otherIncarnation))
}

// queue is a slice that is taken from at the front and keeps its memory.
type queue[T any] struct {
	items []T
	from  int
}

func (q *queue[T]) len() int { return len(q.items) - q.from }

func (q *queue[T]) all() []T { return q.items[q.from:] }

func (q *queue[T]) push(item T) {
	if len(q.items) == cap(q.items) && q.from > cap(q.items)/2 {
		q.items, q.from = q.items[:copy(q.items, q.items[q.from:])], 0
	}
	q.items = append(q.items, item)
}

func (q *queue[T]) insert(i int, item T) {
	q.push(item)
	live := q.all()
	copy(live[i+1:], live[i:])
	live[i] = item
}

func (q *queue[T]) remove(i int) {
	live := q.all()
	q.items = q.items[:q.from+i+copy(live[i:], live[i+1:])]
}

func (q *queue[T]) pop() { q.from++ }

func (q *queue[T]) reset() { q.items, q.from = q.items[:0], 0 }

// numbers remembers numbers at or above low as runs: in order they are one run, however many.
type numbers struct {
	runs  queue[Run]
	count uint64
	low   uint64
	// past and recent are one above the highest number at the last rotation but one, and at the last: what is below
	// past was already behind the highest number a whole span ago.
	past, recent uint64
	rotated      int64
}

func (s *numbers) reset() {
	s.runs.reset()
	*s = numbers{runs: s.runs}
}

// above is the index of the first run that begins above n.
func (s *numbers) above(n uint64) int {
	runs := s.runs.all()
	if len(runs) == 0 || n >= runs[len(runs)-1].First {
		return len(runs)
	}
	i, _ := slices.BinarySearchFunc(runs, n, func(run Run, n uint64) int {
		if run.First > n {
			return 1
		}
		return -1
	})
	return i
}

func (s *numbers) check(n uint64) Verdict {
	if n < s.low {
		return Late
	}
	if i := s.above(n); i > 0 && n <= s.runs.all()[i-1].Last {
		return Repeated
	}
	return Fresh
}

func (s *numbers) add(n uint64, now int64, limits dedupLimits) {
	s.rotate(now, limits.span)
	runs, i := s.runs.all(), s.above(n)
	left := i > 0 && runs[i-1].Last+1 == n
	right := i < len(runs) && n+1 == runs[i].First
	switch {
	case left && right:
		runs[i-1].Last = runs[i].Last
		s.runs.remove(i)
	case left:
		runs[i-1].Last = n
	case right:
		runs[i].First = n
	default:
		s.runs.insert(i, Run{n, n})
	}
	s.count++
	s.trim(limits)
}

func (s *numbers) rotate(now int64, span time.Duration) {
	if now-s.rotated < int64(span) {
		return
	}
	s.past, s.rotated = s.recent, now
	if runs := s.runs.all(); len(runs) > 0 {
		high := runs[len(runs)-1].Last
		s.recent = max(high, high+1) // the greatest number has none above it
	}
}

// trim forgets the lowest numbers that the limits do not ask for.
func (s *numbers) trim(limits dedupLimits) {
	for s.count > uint64(limits.least) {
		lowest := s.runs.all()[0]
		var spare uint64
		if s.count > uint64(limits.most) {
			spare = s.count - uint64(limits.most)
		} else if lowest.First < s.past {
			spare = min(s.count-uint64(limits.least), s.past-lowest.First)
		} else {
			return
		}
		if length := lowest.Last - lowest.First + 1; spare < length {
			s.runs.all()[0].First += spare
		} else {
			spare = length
			s.runs.pop()
		}
		s.count -= spare
		s.low = lowest.First + spare
	}
}

func (s *numbers) load(saved *Window, limits dedupLimits) {
	s.reset()
	s.low, s.past, s.recent, s.rotated = saved.Low, saved.Past, saved.Recent, saved.Rotated
	for _, run := range saved.Runs {
		below := run.First < s.low
		if live := s.runs.all(); len(live) > 0 {
			below = run.First <= live[len(live)-1].Last
		}
		if below || run.Last < run.First || run.Last-run.First >= uint64(limits.most) {
			continue // not one of ours: runs ascend, never overlap, and hold no more than the limit
		}
		s.runs.push(run)
		s.count += run.Last - run.First + 1
	}
	s.trim(limits)
}

// texts remembers text ids by their hash, in the order they came.
type texts struct {
	seen  map[[2]uint64]struct{}
	queue queue[SeenText]
}

func hashText(id string) [2]uint64 {
	sum := xxh3.HashString128(id)
	return [2]uint64{sum.Hi, sum.Lo}
}

func (s *texts) reset() {
	s.queue.reset()
	clear(s.seen)
}

func (s *texts) has(hash [2]uint64) bool {
	_, ok := s.seen[hash]
	return ok
}

func (s *texts) add(hash [2]uint64, now int64, limits dedupLimits) {
	if s.seen == nil {
		s.seen = make(map[[2]uint64]struct{})
	}
	s.seen[hash] = struct{}{}
	s.queue.push(SeenText{Hash: hash, Time: now})
	for s.queue.len() > limits.least {
		oldest := s.queue.all()[0]
		if s.queue.len() <= limits.most && now-oldest.Time < int64(limits.span) {
			return
		}
		delete(s.seen, oldest.Hash)
		s.queue.pop()
	}
}

func (s *texts) load(saved []SeenText, limits dedupLimits) {
	s.reset()
	for _, text := range saved {
		if !s.has(text.Hash) {
			s.add(text.Hash, text.Time, limits)
		}
	}
}
