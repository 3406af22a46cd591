package probe

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// answers is a machine whose one subject says what the test lets it say.
type answers struct {
	t      *testing.T
	memory Memory
	now    time.Time
	tags   []string
	err    error
	doubt  string
}

func (a *answers) subject() Subject {
	return Subject{Name: "odd", Words: []Word{{Key: "hardware.odd"}, {Key: "hardware.odd.N"}}, Probe: func(p *Pass) error {
		for _, tag := range a.tags {
			key, value, _ := strings.Cut(tag, "=")
			if value == "" {
				p.Tag(key, Evidence{Raw: "x"})
			} else {
				p.Value(key, value, Evidence{})
			}
		}
		if a.doubt != "" {
			p.Doubt(a.doubt, errors.New("unreadable"))
		}
		return a.err
	}}
}

// run asks after a while and gives what is known: each tag, with a ? where it is last known.
func (a *answers) run(after time.Duration, tags ...string) string {
	a.t.Helper()
	a.now, a.tags = a.now.Add(after), tags
	r, err := Run(a.t.Context(), Options{Timeout: patience, Tree: machine{}.tree(), Subjects: []Subject{a.subject()},
		Now: func() time.Time { return a.now }})
	if err != nil {
		a.t.Fatal(err)
	}
	var all []string
	for _, f := range a.memory.Merge(r).Facts {
		text := f.Tag.String()
		if f.State == LastKnown {
			text += "?"
		}
		all = append(all, strings.TrimPrefix(text, "hardware."))
	}
	return strings.Join(all, " ")
}

func newAnswers(t *testing.T) *answers { return &answers{t: t, now: time.Unix(1e9, 0)} }

func (a *answers) want(want, got string) {
	a.t.Helper()
	if got != want {
		a.t.Errorf("known: %q; want %q", got, want)
	}
}

func TestOnlyACompleteAnswerDeletes(t *testing.T) {
	a := newAnswers(t)
	a.want("odd odd.0=a", a.run(0, "hardware.odd", "hardware.odd.0=a"))
	a.err = errors.New("bus is stuck")
	a.want("odd? odd.0=a?", a.run(time.Minute))
	a.err = nil
	a.want("", a.run(time.Minute))
}

func TestADoubtKeepsWhatItIsAbout(t *testing.T) {
	a := newAnswers(t)
	a.want("odd odd.0=a odd.1=b", a.run(0, "hardware.odd", "hardware.odd.0=a", "hardware.odd.1=b"))
	a.doubt = "hardware.odd.1"
	a.want("odd odd.1=b?", a.run(time.Minute, "hardware.odd"))
	a.doubt = ""
	a.want("odd odd.1=b", a.run(time.Minute, "hardware.odd", "hardware.odd.1=b"))
}

func TestANewValueTakesThePlaceOfTheOld(t *testing.T) {
	a := newAnswers(t)
	a.want("odd.0=a", a.run(0, "hardware.odd.0=a"))
	a.want("odd.0=b", a.run(time.Second, "hardware.odd.0=b"))
	a.err = errors.New("unreadable")
	a.want("odd.0=b?", a.run(time.Second))
	a.want("odd.0=c", a.run(time.Second, "hardware.odd.0=c"))
}

func TestWhatComesAndGoesIsHeldUntilItIsCalm(t *testing.T) {
	a := newAnswers(t)
	for range 3 {
		a.want("odd", a.run(time.Second, "hardware.odd"))
		if got := a.run(time.Second); got == "odd?" {
			break
		}
	}
	a.want("odd", a.run(time.Second, "hardware.odd"))
	a.want("odd?", a.run(time.Second))
	a.want("odd?", a.run(time.Minute))
	a.want("", a.run(3*time.Minute))
}

func TestAgeIsThatOfTheLastMeasurement(t *testing.T) {
	a := newAnswers(t)
	a.run(0, "hardware.odd")
	measured := a.now
	a.err = errors.New("gone quiet")
	a.run(time.Hour)
	if f := a.memory.known()[0]; !f.Time.Equal(measured) {
		t.Errorf("last known since %s; want %s", f.Time, measured)
	}
}

func TestWhatIsKnownSurvivesARestart(t *testing.T) {
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: clusters().tree(), Subjects: []Subject{cpuSubject()}})
	if err != nil {
		t.Fatal(err)
	}
	var before, after Memory
	before.Merge(r)
	saved, err := before.Export()
	if err != nil {
		t.Fatal(err)
	}
	if err := after.Import(saved); err != nil {
		t.Fatal(err)
	}
	same := slices.EqualFunc(before.known(), after.known(), func(a, b Fact) bool {
		return a.Tag == b.Tag && a.Source == b.Source && a.Evidence == b.Evidence && a.Time.Equal(b.Time) &&
			a.State == Measured && b.State == LastKnown
	})
	if !same || len(after.known()) == 0 {
		t.Errorf("after: %v\nbefore: %v", after.known(), before.known())
	}
	merged := after.Merge(r)
	if f := merged.Facts[0]; f.State != Measured {
		t.Errorf("measured again, %s is %s", f.Tag, f.State)
	}
}

func TestForeignMemoryIsRefused(t *testing.T) {
	for name, saved := range map[string]string{"garbage": "{", "another version": `{"v":9,"facts":[]}`,
		"too large": strings.Repeat(" ", maxExport+1)} {
		var m Memory
		if err := m.Import([]byte(saved)); err == nil {
			t.Errorf("%s is taken for a memory", name)
		}
	}
	var m Memory
	saved := `{"v":1,"facts":[{"tag":"hardware.unheard_of","source":"cpu"},{"tag":"devices.printer","source":"cpu"}]}`
	if err := m.Import([]byte(saved)); err != nil || len(m.known()) != 0 {
		t.Errorf("words nobody speaks: %v, %v", m.known(), err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"v":1,"facts":[{"tag":"hardware.cpu_cores=4","source":"cpu","evidence":{"path":"/x","raw":"y",` +
		`"confidence":"low"},"time":"2026-01-02T03:04:05Z"}]}`))
	f.Fuzz(func(t *testing.T, saved []byte) {
		var m Memory
		if m.Import(saved) != nil {
			return
		}
		if _, err := m.Export(); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
