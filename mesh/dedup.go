package mesh

import "time"

// Verdict says whether an input was seen before.
type Verdict uint8

const (
	Fresh    Verdict = iota // not seen, or without identity
	Repeated                // seen
	Late                    // below what the window can tell: it may be either, and is refused
	Stale                   // of an epoch or incarnation that its producer has left
)

func (v Verdict) String() string {
	return [...]string{"fresh", "repeated", "late", "stale"}[min(v, Stale)]
}

// Limits of a Dedup. A source's window holds its last MinRemembered ids and those of the last RememberedFor of event
// time, never more than MaxRemembered.
const (
	MinRemembered = 4096
	MaxRemembered = 65536
	RememberedFor = 10 * time.Minute
	MaxSources    = 1024
	// maxEntries bounds the memory of all windows together: runs of numbers and text ids.
	maxEntries = 1 << 18
)

type dedupLimits struct {
	least, most, sources, entries int
	span                          time.Duration
}

// Dedup tells the repeats among a daemon's inputs. It has one user at a time, and the same events in the same order
// leave it the same: its time is theirs. Past its limits it forgets the source that was added to least recently.
type Dedup struct {
	limits         dedupLimits
	sources        map[sourceKey]*window
	last           *window // of the source asked for before
	oldest, newest *window // the sources by their last Add
	entries        int
	evicted        uint64
	evictedSource  string
}

type sourceKey struct {
	daemon DaemonID
	source string
}

func (k sourceKey) String() string {
	if k.daemon != "" {
		return "daemon " + string(k.daemon)
	}
	return k.source
}

// NewDedup goes on from the windows of a snapshot, or from none.
func NewDedup(windows []Window) *Dedup {
	return newDedup(windows, dedupLimits{
		least: MinRemembered, most: MaxRemembered, sources: MaxSources, entries: maxEntries, span: RememberedFor,
	})
}

func newDedup(windows []Window, limits dedupLimits) *Dedup {
	d := &Dedup{limits: limits, sources: make(map[sourceKey]*window)}
	for i := range windows {
		saved := &windows[i]
		w := d.open(sourceKey{saved.Daemon, saved.Source})
		before := w.entries()
		w.load(saved, limits)
		d.entries += w.entries() - before
		d.touch(w)
		d.evict()
	}
	return d
}

// Check gives the verdict on an input and remembers nothing.
func (d *Dedup) Check(ev *Event) Verdict {
	id := identity(ev)
	if id.IsZero() {
		return Fresh
	}
	w := d.find(keyOf(ev))
	if w == nil {
		return Fresh
	}
	return w.check(ev, id)
}

// Add gives the verdict on an input and remembers it when it is fresh.
func (d *Dedup) Add(ev *Event) Verdict {
	id := identity(ev)
	if id.IsZero() {
		return Fresh
	}
	key := keyOf(ev)
	w := d.find(key)
	if w == nil {
		w = d.open(key)
		w.epoch, w.incarnation = ev.Epoch, ev.Incarnation
	}
	verdict := w.check(ev, id)
	if verdict == Fresh {
		before := w.entries()
		w.add(ev, id, d.limits)
		d.entries += w.entries() - before
	}
	d.touch(w)
	d.evict()
	return verdict
}

// Windows are what a snapshot keeps, the source that was added to least recently first.
func (d *Dedup) Windows() []Window {
	if d.oldest == nil {
		return nil
	}
	windows := make([]Window, 0, len(d.sources))
	for w := d.oldest; w != nil; w = w.newer {
		windows = append(windows, w.save())
	}
	return windows
}

// Evicted counts the sources that were forgotten, and names the last one.
func (d *Dedup) Evicted() (count uint64, source string) { return d.evicted, d.evictedSource }

// identity is the event's id within its source; that of another daemon's output is its sequence.
func identity(ev *Event) ID {
	if ev.Daemon != "" {
		return NumberID(ev.Link.Sequence)
	}
	return ev.ID
}

func keyOf(ev *Event) sourceKey {
	if ev.Daemon != "" {
		return sourceKey{daemon: ev.Daemon}
	}
	return sourceKey{source: ev.Source}
}

func (d *Dedup) find(key sourceKey) *window {
	if d.last == nil || d.last.key != key {
		d.last = d.sources[key]
	}
	return d.last
}

func (d *Dedup) open(key sourceKey) *window {
	if w := d.sources[key]; w != nil {
		return w
	}
	w := &window{key: key}
	d.sources[key], d.last = w, w
	return w
}

// touch makes w the newest source.
func (d *Dedup) touch(w *window) {
	if d.newest == w {
		return
	}
	d.unlink(w)
	if w.older = d.newest; w.older != nil {
		w.older.newer = w
	} else {
		d.oldest = w
	}
	d.newest = w
}

func (d *Dedup) unlink(w *window) {
	if w.older != nil {
		w.older.newer = w.newer
	} else if d.oldest == w {
		d.oldest = w.newer
	}
	if w.newer != nil {
		w.newer.older = w.older
	} else if d.newest == w {
		d.newest = w.older
	}
	w.older, w.newer = nil, nil
}

func (d *Dedup) evict() {
	for d.oldest != d.newest && (len(d.sources) > d.limits.sources || d.entries > d.limits.entries) {
		w := d.oldest
		d.unlink(w)
		delete(d.sources, w.key)
		d.last = nil
		d.entries -= w.entries()
		d.evicted++
		d.evictedSource = w.key.String()
	}
}
