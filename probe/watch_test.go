package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a machine under Watch, in a bubble of its own time, whose subjects say what the test lets them say.
type watched struct {
	t      *testing.T
	events *hotplug
	memory Memory
	start  time.Time
	over   chan struct{} // closed at the end, for subjects that are still busy then

	mu   sync.Mutex
	tags []string
	told []string // "SECONDS tags", of each revision
}

func (w *watched) set(tags ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tags = tags
}

func (w *watched) fast() Subject {
	words := []Word{{Key: "hardware.odd.NAME"}}
	return Subject{Name: "fast", Uevents: []string{"net"}, Words: words, Probe: func(p *Pass) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, tag := range w.tags {
			p.Tag("hardware.odd."+tag, Evidence{})
		}
		return nil
	}}
}

// watch runs f beside a Watch of the subjects.
func watchIn(t *testing.T, first string, f func(w *watched), others ...func(*watched) Subject) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, tags: strings.Fields(first), events: newHotplug(), start: time.Now(), over: make(chan struct{})}
		defer synctest.Wait()
		defer close(w.over)
		o, err := Options{Tree: machine{}.tree()}.filled()
		if err != nil {
			t.Fatal(err)
		}
		o.Subjects = []Subject{w.fast()}
		for _, other := range others {
			o.Subjects = append(o.Subjects, other(w))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- newWatch(o, &w.memory, w.hear).run(ctx, w.events) }()
		f(w)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("watching ended with %v", err)
		}
	})
}

func (w *watched) hear(r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("%.3f", time.Since(w.start).Seconds())
	for _, f := range r.Facts {
		text += " " + strings.TrimPrefix(f.Tag.String(), "hardware.odd.")
		if f.State == LastKnown {
			text += "?"
		}
	}
	w.told = append(w.told, text)
}

// busy takes so long, or until the test is over.
func (w *watched) busy(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.over:
	}
}

func (w *watched) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *watched) want(revisions ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, revisions) {
		w.t.Errorf("told %q; want %q", w.told, revisions)
	}
}

func TestWatchTellsAtOnceAndThenOnlyNews(t *testing.T) {
	watchIn(t, "a", func(w *watched) {
		w.pass(10 * time.Minute)
		w.want("0.000 a")
	})
}

func TestHotPlugIsToldAtOnceAndThenOnceASecond(t *testing.T) {
	watchIn(t, "a", func(w *watched) {
		w.pass(10 * time.Second)
		for i := range 25 { // ten changes a second
			w.set("a", fmt.Sprintf("b%d", i))
			w.events.add("net")
			w.pass(100 * time.Millisecond)
		}
		w.pass(10 * time.Second)
		w.want("0.000 a", "10.000 a b0", "11.000 a b9", "12.000 a b19", "13.000 a b24")
	})
}

func TestEventsOfOtherSubsystemsAreNoReasonToAsk(t *testing.T) {
	watchIn(t, "", func(w *watched) {
		w.pass(10 * time.Second)
		w.set("a")
		w.events.add("sound")
		w.pass(10 * time.Second)
		w.want("0.000")
		w.events.add(everything)
		w.pass(time.Second)
		w.want("0.000", "20.000 a")
	})
}

func TestFilesThatAppearAfterTheirEventAreFound(t *testing.T) {
	watchIn(t, "", func(w *watched) {
		w.pass(10 * time.Second)
		w.events.add("net")
		w.pass(500 * time.Millisecond)
		w.set("late")
		w.pass(10 * time.Second)
		w.want("0.000", "11.000 late")
	})
}

func TestADeviceThatIsGoneJustAfterItsEventIsTold(t *testing.T) {
	watchIn(t, "a", func(w *watched) {
		w.pass(10 * time.Second)
		w.events.add("net")
		w.pass(30 * time.Millisecond)
		w.set()
		w.pass(10 * time.Second)
		w.want("0.000 a", "10.050")
	})
}

func TestChangesWithoutAnEventAreFoundByAsking(t *testing.T) {
	watchIn(t, "", func(w *watched) {
		w.pass(10 * time.Second)
		w.set("a")
		w.pass(time.Minute)
		w.want("0.000", "60.000 a")
	})
}

func TestSlowAndHangingSubjectsHoldUpNothing(t *testing.T) {
	slow := func(w *watched) Subject {
		return Subject{Name: "slow", Slow: true, Timeout: 5 * time.Second, Words: []Word{{Key: "hardware.odd.slow"}},
			Probe: func(p *Pass) error {
				w.busy(3 * time.Second)
				p.Tag("hardware.odd.slow", Evidence{})
				return nil
			}}
	}
	asked := 0
	hanging := func(w *watched) Subject {
		w.memory.facts = map[string]*known{}
		r := Result{Reports: []Report{{Subject: "hanging"}}}
		p := &Pass{subject: Subject{Name: "hanging", Words: []Word{{Key: "hardware.odd.kept"}}}}
		p.Tag("hardware.odd.kept", Evidence{})
		r.Facts = p.facts
		w.memory.Merge(r)
		return Subject{Name: "hanging", Words: p.subject.Words, Probe: func(*Pass) error {
			asked++
			w.busy(time.Hour)
			return nil
		}}
	}
	watchIn(t, "a", func(w *watched) {
		w.pass(30 * time.Minute)
		w.want("0.250 a kept", "2.000 a kept?", "3.000 a kept? slow")
		if asked != 1 {
			t.Errorf("a subject that had not come back was asked %d times; want once", asked)
		}
	}, slow, hanging)
}

func TestUevents(t *testing.T) {
	tests := map[string]struct {
		event string
		want  string
		ok    bool
	}{
		"of the kernel":       {"add@/devices/virtual/net/veth0\x00ACTION=add\x00SUBSYSTEM=net\x00SEQNUM=7\x00", "net", true},
		"of udevd":            {"libudev\x00\xfe\xed\xca\xfeSUBSYSTEM=net\x00", "", false},
		"without a subsystem": {"add@/devices/x\x00ACTION=add\x00", "", false},
		"empty":               {"", "", false},
		"cut off":             {"add@/devices/x\x00SUBSYS", "", false},
	}
	for name, tt := range tests {
		if got, ok := parseUevent([]byte(tt.event)); got != tt.want || ok != tt.ok {
			t.Errorf("an event %s is %q, %v; want %q, %v", name, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzUevent(f *testing.F) {
	f.Add([]byte("add@/devices/virtual/net/veth0\x00ACTION=add\x00SUBSYSTEM=net\x00"))
	f.Fuzz(func(t *testing.T, event []byte) {
		if subsystem, ok := parseUevent(event); ok && (subsystem == "" || len(subsystem) > 64) {
			t.Errorf("subsystem %q", subsystem)
		}
	})
}

func TestManySubsystemsCountAsAll(t *testing.T) {
	h := newHotplug()
	for i := range 100 {
		h.add(fmt.Sprint(i))
	}
	if got := h.take(); !got[everything] || len(got) > maxChanged+1 {
		t.Errorf("%d subsystems, everything: %v", len(got), got[everything])
	}
}

func TestTheKernelsEventsAreHeardUntilTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	events, done := newHotplug(), make(chan error, 1)
	go func() { done <- events.listen(ctx) }()
	shout := time.NewTicker(50 * time.Millisecond)
	defer shout.Stop()
	deadline := time.After(time.Minute)
	for heard := false; !heard; {
		select {
		case err := <-done:
			t.Skipf("this machine gives no hot-plug events: %v", err)
		case <-events.ring:
			heard = events.take()["net"]
		case <-shout.C: // again and again: nobody says when the socket is bound
			if err := os.WriteFile("/sys/class/net/lo/uevent", []byte("change"), 0o200); err != nil {
				cancel()
				<-done
				t.Skipf("no right to make the kernel speak: %v", err)
			}
		case <-deadline:
			t.Fatal("no event of the loopback interface within a minute")
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("still listening a minute after the end")
	}
}
