package probe

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// patience is how long a subject of a test may take on a slow machine, unless its slowness is the test.
const patience = time.Minute

func steady() Subject {
	return Subject{Name: "steady", Words: []Word{{Key: "hardware.steady"}}, Probe: func(p *Pass) error {
		p.Tag("hardware.steady", Evidence{Path: "/here"})
		return nil
	}}
}

func TestTroubleInOneSubjectDisturbsNoOther(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	words := []Word{{Key: "hardware.odd"}, {Key: "hardware.odd.N.size"}}
	tests := map[string]struct {
		probe func(*Pass) error
		want  string // part of the reason
	}{
		"hangs":            {func(*Pass) error { <-hang; return nil }, "no answer within"},
		"panics":           {func(*Pass) error { panic("boom") }, "panic: boom"},
		"panics with nil":  {func(*Pass) error { panic(nil) }, "panic"},
		"fails":            {func(*Pass) error { return errors.New("disk on fire") }, "disk on fire"},
		"speaks in tongue": {func(p *Pass) error { p.Tag("hardware.unheard", Evidence{}); return nil }, "vocabulary"},
		"says minus one": {func(p *Pass) error {
			p.Count("hardware.odd.0.size", -1, Evidence{})
			return nil
		}, "implausible"},
		"says too much": {func(p *Pass) error {
			p.Value("hardware.odd", strings.Repeat("x", 1<<20), Evidence{Raw: strings.Repeat("y", 1<<20)})
			return errors.New("still here")
		}, "still here"},
		"files vanish": {func(p *Pass) error {
			names, err := p.List("/sys/odd")
			p.Doubt("hardware.odd", err)
			for _, name := range names {
				if _, _, err := p.Number("/sys/odd/" + name + "/size"); err != nil {
					p.Doubt("hardware.odd", err)
				}
			}
			return errors.New("looked at all")
		}, "looked at all"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			odd := Subject{Name: "odd", Words: words, Probe: tt.probe}
			if name == "hangs" {
				odd.Timeout = 200 * time.Millisecond
			}
			tree := machine{"/sys/odd/a/": ""}.tree()
			r, err := Run(t.Context(), Options{Timeout: patience, Tree: tree, Subjects: []Subject{odd, steady()}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Reports[0].Status != Unsure || !strings.Contains(r.Reports[0].Reason, tt.want) {
				t.Errorf("odd: %v, %q; want could not tell, %q", r.Reports[0].Status, r.Reports[0].Reason, tt.want)
			}
			if !strings.Contains(lines(r), "hardware.steady\n") || r.Reports[1].Status != Present {
				t.Errorf("steady was disturbed: %v, facts %q", r.Reports[1], lines(r))
			}
		})
	}
}

func TestEverySubjectSpeaksItsOwnWordsOnly(t *testing.T) {
	seen := map[string]string{}
	for _, s := range Subjects() {
		for _, w := range s.Words {
			if other, twice := seen[w.Key]; twice {
				t.Errorf("%s is a word of %s and of %s", w.Key, other, s.Name)
			}
			seen[w.Key] = s.Name
			if w.Meaning == "" || w.From == "" || w.Since == "" {
				t.Errorf("%s: meaning, source or first version is missing", w.Key)
			}
		}
	}
}
