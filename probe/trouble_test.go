package probe

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vanishing is a tree whose files are gone after so many looks at them.
type vanishing struct {
	Tree
	left atomic.Int32
}

func (v *vanishing) gone(name string) error {
	if v.left.Add(-1) < 0 {
		return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return nil
}

func (v *vanishing) Read(name string, limit int) ([]byte, error) {
	if err := v.gone(name); err != nil {
		return nil, err
	}
	return v.Tree.Read(name, limit)
}

func (v *vanishing) List(name string) ([]string, error) {
	if err := v.gone(name); err != nil {
		return nil, err
	}
	return v.Tree.List(name)
}

// besides lists the facts of all subjects but one.
func besides(r Result, subject string) []string {
	var all []string
	for _, f := range r.Facts {
		if f.Source != subject {
			all = append(all, f.Tag.String()+" "+f.Evidence.Path)
		}
	}
	return all
}

// TestTroubleInAnySubjectDisturbsNoOther brings trouble to each of the agent's own subjects in turn.
func TestTroubleInAnySubjectDisturbsNoOther(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	troubles := map[string]func(*Subject){
		"hangs": func(s *Subject) {
			s.Timeout, s.Probe = 10*time.Millisecond, func(*Pass) error { <-over; return nil }
		},
		"panics": func(s *Subject) { s.Probe = func(*Pass) error { panic("out of order") } },
		"talks garbage": func(s *Subject) {
			s.Probe = func(p *Pass) error {
				for _, text := range []string{"", "hardware.cpu_cores=99", "\x00\xff", strings.Repeat("x", 1<<16)} {
					p.Tag(text, Evidence{})
					p.Value("hardware.memory_gb", text, Evidence{})
				}
				p.Count("hardware.memory_gb", -1, Evidence{})
				return nil
			}
		},
	}
	for _, looks := range []int32{0, 1, 3, 10, 30} {
		troubles[fmt.Sprintf("loses its files after %d looks", looks)] = func(s *Subject) {
			probe := s.Probe
			s.Probe = func(p *Pass) error {
				gone := &vanishing{Tree: p.tree}
				gone.left.Store(looks)
				p.tree = gone
				return probe(p)
			}
		}
	}
	o := Options{Timeout: patience, Tree: wholeMachine().with(clusters()).tree(), Subjects: Subjects()}
	whole, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range Subjects() {
		want := besides(whole, s.Name)
		for name, trouble := range troubles {
			o.Subjects = Subjects()
			trouble(&o.Subjects[i])
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			got := besides(r, s.Name)
			if !slices.Equal(got, want) {
				t.Errorf("%s %s, and others change:\n%s", s.Name, name, cmp.Diff(want, got))
			}
			if strings.HasPrefix(name, "loses") {
				continue // what is left may be a complete answer
			}
			if r.Reports[i].Status != Unsure {
				t.Errorf("%s %s, and is %v", s.Name, name, r.Reports[i].Status)
			}
		}
	}
}
