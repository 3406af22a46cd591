package mesh

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func numbered(source string, n uint64) *Event { return &Event{Source: source, ID: NumberID(n)} }

func TestDedupTellsWhatItSawFromWhatItDidNot(t *testing.T) {
	d := NewDedup(nil)
	output := func(epoch uint64, incarnation uint32, sequence uint64) *Event {
		return &Event{Daemon: "pump", Epoch: epoch, Incarnation: incarnation, Link: Link{Sequence: sequence}}
	}
	for _, step := range []struct {
		what string
		ev   *Event
		want Verdict
	}{
		{"a number", numbered("a", 5), Fresh},
		{"the number again", numbered("a", 5), Repeated},
		{"a lower number, not seen", numbered("a", 3), Fresh},
		{"the lower number again", numbered("a", 3), Repeated},
		{"the number between", numbered("a", 4), Fresh},
		{"the number between again", numbered("a", 4), Repeated},
		{"the greatest number", numbered("a", math.MaxUint64), Fresh},
		{"the greatest number again", numbered("a", math.MaxUint64), Repeated},
		{"zero", numbered("a", 0), Fresh},
		{"zero again", numbered("a", 0), Repeated},
		{"the number from another source", numbered("b", 5), Fresh},
		{"its digits as a text", &Event{Source: "a", ID: TextID("5")}, Fresh},
		{"the text again", &Event{Source: "a", ID: TextID("5")}, Repeated},
		{"an empty text", &Event{Source: "a", ID: TextID("")}, Fresh},
		{"no identity", &Event{Source: "a"}, Fresh},
		{"no identity again", &Event{Source: "a"}, Fresh},
		{"an output", output(2, 0, 7), Fresh},
		{"the output again", output(2, 0, 7), Repeated},
		{"an output of a lower epoch", output(1, 9, 8), Stale},
		{"the sequence in a new incarnation", output(2, 1, 7), Fresh},
		{"the output before in its old one", output(2, 0, 6), Stale},
		{"the sequence in a new epoch", output(3, 0, 7), Fresh},
		{"the sequence in the new epoch again", output(3, 0, 7), Repeated},
		{"a raw source by the daemon's name", numbered("pump", 7), Fresh},
	} {
		if got := d.Check(step.ev); got != step.want {
			t.Errorf("check %s: %v, want %v", step.what, got, step.want)
		}
		if got := d.Add(step.ev); got != step.want {
			t.Errorf("add %s: %v, want %v", step.what, got, step.want)
		}
	}
}

func TestDedupKeepsWhatItPromises(t *testing.T) {
	for name, c := range map[string]struct {
		id    func(i uint64) ID
		below Verdict // of an id that was forgotten
	}{
		"numbers in order":     {NumberID, Late},
		"numbers far apart":    {func(i uint64) ID { return NumberID(i * 1e9) }, Late},
		"texts":                {func(i uint64) ID { return TextID(fmt.Sprint("event-", i)) }, Fresh},
		"numbers out of order": {func(i uint64) ID { return NumberID(i ^ 7) }, Late},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(i uint64, when time.Duration) *Event {
				return &Event{Source: "s", ID: c.id(i), Time: int64(when)}
			}
			d := NewDedup(nil)
			next := uint64(0)
			add := func(n int, every time.Duration, from time.Duration) {
				for i := range n {
					if got := d.Add(at(next, from+time.Duration(i)*every)); got != Fresh {
						t.Fatalf("id %d: %v", next, got)
					}
					next++
				}
			}
			add(10_000, time.Millisecond, 0)
			if got := d.Check(at(0, 10*time.Second)); got != Repeated {
				t.Errorf("an id of the last ten minutes: %v", got)
			}
			add(MinRemembered, time.Second, time.Hour)
			if got := d.Check(at(next-MinRemembered, 3*time.Hour)); got != Repeated {
				t.Errorf("the last but %d: %v", MinRemembered, got)
			}
			if got := d.Check(at(0, 3*time.Hour)); got != c.below {
				t.Errorf("an id of three hours ago: %v, want %v", got, c.below)
			}
			add(MaxRemembered+8, 0, 4*time.Hour)
			if got := d.Check(at(next-MaxRemembered+8, 4*time.Hour)); got != Repeated {
				t.Errorf("the last but nearly %d: %v", MaxRemembered, got)
			}
			if got := d.Check(at(next-MaxRemembered-8, 4*time.Hour)); got != c.below {
				t.Errorf("beyond %d: %v, want %v", MaxRemembered, got, c.below)
			}
		})
	}
}

func TestDedupForgetsTheOldestSourceAndSaysSo(t *testing.T) {
	d := NewDedup(nil)
	for i := range MaxSources {
		d.Add(numbered(fmt.Sprint("s", i), 1))
	}
	d.Add(numbered("s0", 2))
	if n, _ := d.Evicted(); n != 0 {
		t.Fatalf("%d sources forgotten below the limit", n)
	}
	d.Add(&Event{Daemon: "pump", Link: Link{Sequence: 1}})
	if n, source := d.Evicted(); n != 1 || source != "s1" {
		t.Errorf("forgot %d sources, the last %q: want 1, s1", n, source)
	}
	if got := d.Check(numbered("s0", 1)); got != Repeated {
		t.Errorf("the source used again: %v", got)
	}
	if got := d.Check(numbered("s1", 1)); got != Fresh {
		t.Errorf("the forgotten source: %v", got)
	}
}

func TestDedupBoundsAllWindowsTogether(t *testing.T) {
	limits := dedupLimits{least: 10, most: 20, sources: 100, entries: 50, span: time.Minute}
	d := newDedup(nil, limits)
	for source := range 10 {
		for n := range 15 {
			d.Add(numbered(fmt.Sprint("s", source), uint64(2*n)))
		}
	}
	if n, source := d.Evicted(); d.entries > 50 || n != 7 || source != "s6" {
		t.Errorf("%d entries, forgot %d sources, the last %q: want at most 50, 7, s6", d.entries, n, source)
	}
}

func TestDedupGoesOnFromItsWindows(t *testing.T) {
	d := NewDedup(nil)
	for i := range 9000 {
		d.Add(&Event{Source: "n", ID: NumberID(uint64(i * 3)), Time: int64(i) * int64(time.Second)})
		d.Add(&Event{Source: "t", ID: TextID(fmt.Sprint(i)), Time: int64(i) * int64(time.Second)})
	}
	d.Add(&Event{Daemon: "pump", Epoch: 4, Incarnation: 1, Link: Link{Sequence: 6}})
	again := NewDedup(d.Windows())
	if diff := cmp.Diff(d.Windows(), again.Windows()); diff != "" {
		t.Error(diff)
	}
	if d.entries != again.entries {
		t.Errorf("%d entries, then %d", d.entries, again.entries)
	}
}

func TestDedupTakesNoHarmFromForeignWindows(t *testing.T) {
	d := NewDedup([]Window{
		{Source: "a", Low: 10, Runs: []Run{{0, math.MaxUint64}, {5, 6}, {20, 10}, {30, 31}, {31, 40}, {math.MaxUint64, 0}}},
		{Source: "a", Runs: []Run{{1, 2}}, Texts: []SeenText{{Time: 1}, {Time: 2}}},
		{Source: "b", Runs: []Run{{1, math.MaxUint64}}},
	})
	for _, n := range []uint64{0, 15, 31, 35, math.MaxUint64} {
		d.Add(numbered("a", n))
	}
	if len(d.sources) != 2 || d.entries > 12 {
		t.Errorf("%d sources, %d entries", len(d.sources), d.entries)
	}
}

// simpleDedup is the same promise in the plainest form: for one source, without owners.
type simpleDedup struct {
	limits       dedupLimits
	numbers      []uint64
	low          uint64
	past, recent uint64
	rotated      int64
	texts        []string
	times        []int64
}

func (s *simpleDedup) add(ev *Event) Verdict {
	if n, ok := ev.ID.Number(); ok {
		return s.addNumber(n, ev.Time)
	}
	text, _ := ev.ID.Text()
	if slices.Contains(s.texts, text) {
		return Repeated
	}
	s.texts, s.times = append(s.texts, text), append(s.times, ev.Time)
	for len(s.texts) > s.limits.most || len(s.texts) > s.limits.least && ev.Time-s.times[0] >= int64(s.limits.span) {
		s.texts, s.times = s.texts[1:], s.times[1:]
	}
	return Fresh
}

func (s *simpleDedup) addNumber(n uint64, now int64) Verdict {
	if n < s.low {
		return Late
	}
	if slices.Contains(s.numbers, n) {
		return Repeated
	}
	if now-s.rotated >= int64(s.limits.span) {
		s.past, s.rotated = s.recent, now
		if len(s.numbers) > 0 {
			s.recent = s.numbers[len(s.numbers)-1] + 1
		}
	}
	s.numbers = append(s.numbers, n)
	slices.Sort(s.numbers)
	for len(s.numbers) > s.limits.most || len(s.numbers) > s.limits.least && s.numbers[0] < s.past {
		s.low, s.numbers = s.numbers[0]+1, s.numbers[1:]
	}
	return Fresh
}

func TestDedupBehavesAsTheSimpleOne(t *testing.T) {
	limits := dedupLimits{least: 4, most: 12, sources: 3, entries: 1000, span: 10}
	rapid.Check(t, func(t *rapid.T) {
		d, simple := newDedup(nil, limits), &simpleDedup{limits: limits}
		now, high := int64(0), uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			now += rapid.Int64Range(0, 3).Draw(t, "passed")
			ev := &Event{Source: "s", Time: now}
			if rapid.Bool().Draw(t, "numbered") {
				n := high + rapid.Uint64Range(0, 20).Draw(t, "number") - min(high, 12)
				ev.ID, high = NumberID(n), max(high, n)
			} else {
				ev.ID = TextID(strings.Repeat("x", rapid.IntRange(0, 20).Draw(t, "text")))
			}
			want := simple.add(ev)
			if check := d.Check(ev); check != want {
				t.Fatalf("check %+v: %v, want %v", ev.ID, check, want)
			}
			if got := d.Add(ev); got != want {
				t.Fatalf("add %+v: %v, want %v", ev.ID, got, want)
			}
			if rapid.IntRange(0, 20).Draw(t, "restart") == 0 {
				d = newDedup(d.Windows(), limits)
			}
		}
	})
}

func TestDedupOfNumbersAllocatesNothing(t *testing.T) {
	for name, stride := range map[string]uint64{"in order": 1, "far apart": 1000} {
		d := NewDedup(nil)
		ev := numbered("s", 0)
		add := func() {
			n, _ := ev.ID.Number()
			ev.ID, ev.Time = NumberID(n+stride), ev.Time+int64(time.Second)
			if d.Add(ev) != Fresh || d.Check(ev) != Repeated {
				t.Fatal("not fresh, then repeated")
			}
		}
		for range 4 * MinRemembered {
			add()
		}
		if n := testing.AllocsPerRun(5000, add); n != 0 {
			t.Errorf("%s: %v allocations for each event", name, n)
		}
	}
}

func BenchmarkDedup(b *testing.B) {
	for name, stride := range map[string]uint64{"in order": 1, "far apart": 1000} {
		b.Run(name, func(b *testing.B) {
			d := NewDedup(nil)
			ev := numbered("s", 0)
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n += stride
				ev.ID, ev.Time = NumberID(n), int64(n)*int64(time.Millisecond)
				d.Add(ev)
			}
		})
	}
}
