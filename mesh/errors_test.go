package mesh

import (
	"errors"
	"testing"

	"github.com/edge-agent/edge-agent/capability"
)

func TestErrorsHaveKindsAndNameTheDaemon(t *testing.T) {
	cause := errors.New("the cause")
	kinds := map[error]string{
		ErrProcess:    "daemon d1: process failed: the cause",
		ErrSnapshot:   "daemon d1: snapshot failed: the cause",
		ErrRestore:    "daemon d1: restore failed: the cause",
		ErrNotFound:   "daemon d1: not found: the cause",
		ErrStale:      "daemon d1: stale: the cause",
		ErrRunning:    "daemon d1: already running: the cause",
		ErrWrongPhase: "daemon d1: wrong phase: the cause",
		ErrTooLarge:   "daemon d1: too large: the cause",
	}
	for kind, text := range kinds {
		err := error(&Error{Daemon: "d1", Kind: kind, Cause: cause})
		if err.Error() != text {
			t.Errorf("got %q, want %q", err, text)
		}
		for other := range kinds {
			if errors.Is(err, other) != (other == kind) {
				t.Errorf("%v is %v: %t", err, other, errors.Is(err, other))
			}
		}
		var typed *Error
		if !errors.Is(err, cause) || !errors.As(err, &typed) || typed.Daemon != "d1" {
			t.Errorf("%v loses its cause or its daemon", err)
		}
	}
	if err := (&Error{Daemon: "d1", Kind: ErrStale}); err.Error() != "daemon d1: stale" || !errors.Is(err, ErrStale) {
		t.Errorf("without a cause: %v", err)
	}
}

// plain keeps no state.
type plain struct{}

func (plain) Name() string                    { return "plain" }
func (plain) Requirements() capability.Filter { return capability.Filter{} }
func (plain) Process(*Event, *Outputs) error  { return nil }

// picky takes the state "good" and no other.
type picky struct{ plain }

var errPicky = errors.New("not good")

func (picky) Snapshot() ([]byte, error) { return []byte("good"), nil }

func (picky) Restore(state []byte) error {
	if string(state) != "good" {
		return errPicky
	}
	return nil
}

func TestRestoreRefusesStateOfAStatelessDaemon(t *testing.T) {
	err := Restore(plain{}, "d1", "filter", []byte("state"))
	want := "daemon d1: restore failed: kind filter keeps no state, but was given 5 bytes of it"
	var refused *RefusedState
	if err == nil || err.Error() != want || !errors.Is(err, ErrRestore) || !errors.As(err, &refused) || refused.Size != 5 {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRestoreAcceptsEmptyStateForAnyone(t *testing.T) {
	for _, daemon := range []Daemon{plain{}, picky{}} {
		for _, empty := range [][]byte{nil, {}} {
			if err := Restore(daemon, "d1", "any", empty); err != nil {
				t.Errorf("%T: %v", daemon, err)
			}
		}
	}
}

func TestRestoreSaysWhyADaemonRefused(t *testing.T) {
	if err := Restore(picky{}, "d1", "picky", []byte("good")); err != nil {
		t.Error(err)
	}
	err := Restore(picky{}, "d1", "picky", []byte("bad"))
	if !errors.Is(err, ErrRestore) || !errors.Is(err, errPicky) {
		t.Errorf("got %v", err)
	}
}

func TestOutputsAreCopiedAndBounded(t *testing.T) {
	var out Outputs
	payload := []byte("first")
	out.Emit(payload)
	out.Defer(payload)
	copy(payload, "other")
	if string(out.Payload(0)) != "first" || string(out.Task(0)) != "first" || out.Len() != 1 || out.Tasks() != 1 {
		t.Errorf("%q, %q", out.Payload(0), out.Task(0))
	}
	for name, fill := range map[string]func(){
		"a payload too large": func() { out.Emit(make([]byte, MaxPayload+1)) },
		"a task too large":    func() { out.Defer(make([]byte, MaxPayload+1)) },
		"too many outputs": func() {
			for range MaxOutputs + 1 {
				out.Emit(nil)
			}
		},
		"too many tasks": func() {
			for range MaxTasks + 1 {
				out.Defer(nil)
			}
		},
		"too many bytes": func() {
			for range MaxOutputBytes/MaxPayload + 1 {
				out.Emit(make([]byte, MaxPayload))
			}
		},
	} {
		if out.Reset(); out.Err() != nil {
			t.Fatalf("an error after Reset: %v", out.Err())
		}
		if fill(); !errors.Is(out.Err(), ErrTooLarge) {
			t.Errorf("%s: %v", name, out.Err())
		}
	}
}

func TestDaemonIDsAreChecked(t *testing.T) {
	for _, good := range []string{"a", "0", "press-1_b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if id, err := ParseDaemonID(good); err != nil || string(id) != good {
			t.Errorf("%q: %v", good, err)
		}
		if id, err := ParseNodeID(good); err != nil || string(id) != good {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", "_a", "A", "a.b", "a/b", "a+", "é", "a\x00", string(make([]byte, 65))} {
		if _, err := ParseDaemonID(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}
