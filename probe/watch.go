package probe

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	spacing = time.Second            // between two revisions, and between two answers to hot-plug events
	grace   = 250 * time.Millisecond // that a revision waits for subjects which take their time
)

// settling is when subjects are asked again after an event: the kernel speaks before a device's files are gone, and
// while they still appear.
var settling = [...]time.Duration{20 * time.Millisecond, 50 * time.Millisecond, 90 * time.Millisecond, time.Second}

// Watch keeps a machine known until the context ends. It probes once, then what the kernel says has changed, and all of
// it every Options.Poll. It calls changed, from its own goroutine, with the first result and with each that differs in
// its tags or their state: at once for the first change, then at most once a second. Slow subjects, and those that
// hang, hold up nothing: their facts follow. The memory is Watch's own until it returns.
func Watch(ctx context.Context, o Options, memory *Memory, changed func(Result)) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	events := newHotplug()
	var listening sync.WaitGroup
	defer listening.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, live := o.Tree.(here); live {
		listening.Go(func() {
			if err := events.listen(ctx); err != nil {
				o.Log.Warn("no hot-plug events: changes are found by asking", "every", o.Poll, "error", err)
			}
		})
	}
	w := newWatch(o, memory, changed)
	return w.run(ctx, events)
}

// watch is one Watch. Only its own goroutine touches it; subjects answer through channels.
type watch struct {
	o        Options
	memory   *Memory
	changed  func(Result)
	subjects map[string]Subject

	answers chan answer
	back    chan string // subjects that have returned
	asking  sync.WaitGroup
	busy    map[string]bool // asked, not returned
	waiting map[string]bool // asked, not answered, and worth waiting for

	dirty  map[string]bool // to be asked as soon as they are free
	plug   map[string]bool // to be asked for a hot-plug event, by the spacing
	settle map[string]bool // asked for an event, and to be asked again by settling
	again  int             // steps of settling that are behind

	polled, plugged, asked, told time.Time
	fresh                        bool
	said                         string
	reports                      map[string]Report
	gauges                       map[string][]Gauge
	metadata                     map[string]map[string]string
}

func newWatch(o Options, memory *Memory, changed func(Result)) *watch {
	w := &watch{o: o, memory: memory, changed: changed, subjects: map[string]Subject{}, answers: make(chan answer),
		back: make(chan string), busy: map[string]bool{}, waiting: map[string]bool{}, dirty: map[string]bool{},
		plug: map[string]bool{}, settle: map[string]bool{}, reports: map[string]Report{}, gauges: map[string][]Gauge{},
		metadata: map[string]map[string]string{}}
	for _, s := range o.Subjects {
		w.subjects[s.Name] = s
	}
	return w
}

func (w *watch) run(ctx context.Context, events *hotplug) error {
	ctx, cancel := context.WithCancel(ctx)
	defer w.asking.Wait()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(w.step(ctx, w.o.Now()))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-w.answers:
			w.take(a)
		case name := <-w.back:
			delete(w.busy, name)
		case <-events.ring:
			w.noteChanged(events.take())
		case <-timer.C:
		}
	}
}

// step does what is due and says how long there is nothing more to do.
func (w *watch) step(ctx context.Context, now time.Time) time.Duration {
	if w.polled.IsZero() || now.Sub(w.polled) >= w.o.Poll {
		w.polled = now
		for name := range w.subjects {
			w.dirty[name] = true
		}
	}
	next := w.polled.Add(w.o.Poll)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	w.plugIn(now, sooner)
	for name := range w.dirty {
		if !w.busy[name] {
			w.ask(ctx, name, now)
		}
	}
	if w.fresh {
		due := w.told.Add(spacing)
		if late := w.asked.Add(grace); len(w.waiting) > 0 && late.After(due) {
			due = late
		}
		if now.Before(due) {
			sooner(due)
		} else {
			w.tell(now)
		}
	}
	return max(0, next.Sub(now))
}

// plugIn marks whom to ask for hot-plug events: at once, and then by settling. Events of the next second begin a new
// round when it is over.
func (w *watch) plugIn(now time.Time, sooner func(time.Time)) {
	for len(w.settle) > 0 && !now.Before(w.plugged.Add(settling[w.again])) {
		maps.Copy(w.dirty, w.settle)
		if w.again++; w.again == len(settling) {
			w.settle = map[string]bool{}
		}
	}
	if len(w.plug) > 0 && !now.Before(w.plugged.Add(spacing)) {
		maps.Copy(w.dirty, w.plug)
		w.plug, w.settle, w.again, w.plugged = map[string]bool{}, w.plug, 0, now
	}
	if len(w.settle) > 0 {
		sooner(w.plugged.Add(settling[w.again]))
	}
	if len(w.plug) > 0 {
		sooner(w.plugged.Add(spacing))
	}
}

// noteChanged marks the subjects that the subsystems concern.
func (w *watch) noteChanged(subsystems map[string]bool) {
	for name, s := range w.subjects {
		if subsystems[everything] || slices.ContainsFunc(s.Uevents, func(u string) bool { return subsystems[u] }) {
			w.plug[name] = true
		}
	}
}

func (w *watch) ask(ctx context.Context, name string, now time.Time) {
	s := w.subjects[name]
	delete(w.dirty, name)
	w.busy[name] = true
	w.asked = now
	if !s.Slow {
		w.waiting[name] = true
	}
	out, returned := start(ctx, w.o, s)
	w.asking.Go(func() {
		select {
		case w.answers <- <-out:
		case <-ctx.Done():
			return
		}
		select {
		case <-returned:
		case <-ctx.Done():
			return
		}
		select {
		case w.back <- name:
		case <-ctx.Done():
		}
	})
}

func (w *watch) take(a answer) {
	name := a.report.Subject
	delete(w.waiting, name)
	r := collect(w.o, []answer{a})
	w.memory.Merge(r)
	w.reports[name] = a.report
	if a.pass != nil {
		w.gauges[name], w.metadata[name] = r.Gauges, r.Metadata
	}
	w.fresh = true
}

// tell hands on the gauges, and calls changed if there is news.
func (w *watch) tell(now time.Time) {
	w.fresh = false
	r := Result{Time: now, Facts: w.memory.known(), Metadata: map[string]string{}}
	for _, s := range w.o.Subjects {
		if report, ok := w.reports[s.Name]; ok {
			r.Reports = append(r.Reports, report)
			r.Gauges = append(r.Gauges, w.gauges[s.Name]...)
			maps.Copy(r.Metadata, w.metadata[s.Name])
		}
	}
	if w.o.Gauges != nil {
		w.o.Gauges(r.Gauges)
	}
	if said := r.summary(); said != w.said {
		w.said, w.told = said, now
		w.changed(r)
	}
}

// summary is what makes a result worth telling: tags and how they are known, not when.
func (r Result) summary() string {
	var b strings.Builder
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "%s %d\n", f.Tag, f.State)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		fmt.Fprintf(&b, "%s %s\n", key, r.Metadata[key])
	}
	for _, report := range r.Reports {
		fmt.Fprintf(&b, "%s %d\n", report.Subject, report.Status)
	}
	for _, g := range r.Gauges {
		fmt.Fprintf(&b, "%s %s\n", g.Kind, g.Name)
	}
	return b.String()
}
