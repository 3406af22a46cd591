package persist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

var errInjected = errors.New("injected")

// TestCommitThatFailsAtAnyStepIsUnknownAndNothingElse fails each step of the writes once, first to last.
func TestCommitThatFailsAtAnyStepIsUnknownAndNothingElse(t *testing.T) {
	seen := make(map[string]bool)
	for k := 1; ; k++ {
		if hit := failAt(t, k, seen); !hit {
			if k < 20 {
				t.Errorf("only %d steps could fail", k-1)
			}
			break
		}
		if t.Failed() {
			t.Fatalf("failure at step %d", k)
		}
	}
	for _, op := range []string{
		"begin", "commit", "committed", "file write", "file sync", "file rename", "directory sync",
	} {
		if !seen[op] {
			t.Errorf("no %q was seen", op)
		}
	}
}

func failAt(t *testing.T, k int, seen map[string]bool) (hit bool) {
	var failed atomic.Bool
	s, stop := start(t, t.TempDir(), Options{
		Limits: Limits{SnapshotValue: 100},
		Fault: func(op string, n int) error {
			if n != k || failed.Load() {
				return nil
			}
			failed.Store(true)
			seen[op] = true
			return fmt.Errorf("%s: %w", op, errInjected)
		},
	})
	defer stop()
	c, err := restore(s, "one")
	if err != nil {
		t.Fatal(err)
	}
	var last mesh.Position
	var acked uint64
	for range 4 {
		g := mesh.Group{}
		last = c.feed(&g, last)
		last = c.feed(&g, last)
		g.Snapshots = []mesh.Snapshot{{
			Daemon: c.id, Kind: "counter", Position: c.last, Head: c.chain.Head(), Stateful: true,
			State: fmt.Appendf(nil, "%*d", 50+int(c.count%4)*50, c.count),
		}}
		if err := try(s, g); err == nil {
			acked = c.count
			continue
		} else if !errors.Is(err, errInjected) {
			t.Errorf("group failed with %v", err)
		}
		if err := try(s, mesh.Group{}); !errors.Is(err, errInjected) {
			t.Errorf("a group behind the failure got %v", err)
		}
		if err := s.Put("doc", "key", nil); !errors.Is(err, errInjected) {
			t.Errorf("a document behind the failure got %v", err)
		}
		if err := s.Reopen(context.Background()); err != nil {
			t.Fatalf("reopen: %v", err)
		}
		tried := c.count
		if c, err = restore(s, c.id); err != nil {
			t.Fatal(err)
		}
		if c.count < acked || c.count > tried || c.count%2 != 0 {
			t.Errorf("counted %d: acknowledged %d, tried %d in twos", c.count, acked, tried)
		}
		if last, err = s.Last(); err != nil {
			t.Fatal(err)
		}
	}
	if want := chainOf(c.id, c.count).Head(); c.chain.Head() != want {
		t.Errorf("head %+v, want %+v", c.chain.Head(), want)
	}
	checkRows(t, s, c.id, c.count)
	if alarms := s.Alarms(); len(alarms) > 0 {
		t.Errorf("alarms %v", alarms)
	}
	return failed.Load()
}

// TestFailingSystemCallIsUnknownAndNothingElse has a tracer fail one call of a writing process, which then stops by
// itself, and looks at what it left.
func TestFailingSystemCallIsUnknownAndNothingElse(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil || os.Getenv("CI_EMULATOR") != "" {
		t.Skip("failing system calls needs strace, without an emulator")
	}
	last := 24
	if os.Getenv("CI_LONG") != "" {
		last = 120
	}
	wrote, hurt := 0, 0
	for _, call := range []string{"fdatasync", "pwrite64", "fsync"} {
		for when := 8; when <= last; when += 8 {
			dir := t.TempDir()
			inject := fmt.Sprintf("inject=%s:error=EIO:when=%d", call, when)
			args := []string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject}
			args = append(args, self("child-writer", dir, "1", "40")...)
			acked, tried, failed := writeUntilEnd(t, exec.Command(strace, args...))
			if failed {
				hurt++
			}
			wrote += int(tried[0])
			s, stop := start(t, dir, Options{})
			for i, id := range counterIDs {
				c, err := restore(s, id)
				if err != nil {
					t.Fatalf("%s %d: %v", call, when, err)
				}
				if c.count < acked[i] || c.count > tried[i] {
					t.Errorf("%s %d: %s counted %d: acknowledged %d, tried %d", call, when, id, c.count, acked[i], tried[i])
				}
				checkRows(t, s, id, c.count)
			}
			if alarms := s.Alarms(); len(alarms) > 0 {
				t.Errorf("%s %d: alarms %v", call, when, alarms)
			}
			stop()
		}
	}
	if wrote == 0 {
		t.Skip("strace is there but does not work")
	}
	if hurt == 0 {
		t.Error("no call failed")
	}
}

// TestGroupsBehindAFailureAreAnsweredInOrder hands in many groups at once and lets the first fail.
func TestGroupsBehindAFailureAreAnsweredInOrder(t *testing.T) {
	fail := true
	s, err := Open(t.TempDir(), Options{Fault: func(op string, _ int) error {
		if op == "commit" && fail {
			fail = false
			return errInjected
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter()
	answers := make(chan int, 100)
	for i := range 100 {
		s.Commit(&mesh.Group{Steps: []mesh.Step{w.step("a", "x")}, Done: func(err error) {
			if !errors.Is(err, errInjected) {
				t.Errorf("group %d: %v", i, err)
			}
			answers <- i
		}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for i := range 100 {
		if got := <-answers; got != i {
			t.Fatalf("answer %d is of group %d", i, got)
		}
	}
	cancel()
	if err := errors.Join(<-ended, s.Close()); err != nil {
		t.Error(err)
	}
	if err := try(s, mesh.Group{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a group for a closed store got %v", err)
	}
}
