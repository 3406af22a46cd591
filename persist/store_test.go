package persist

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

// TestMain lets the test binary stand in for the commands that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "child-check":
			os.Exit(CheckMain(os.Args[2:]))
		case "child-cost":
			if err := runCostChild(os.Args[2]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "child-writer":
			seed, bad := strconv.ParseUint(os.Args[3], 10, 64)
			groups, worse := strconv.ParseUint(os.Args[4], 10, 64)
			if err := errors.Join(bad, worse, runWriter(os.Args[2], seed, groups, os.Stdout)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	rounds := "10"
	switch {
	case os.Getenv("CI_LONG") != "":
		rounds = "100"
	case os.Getenv("CI_EMULATOR") != "":
		rounds = "3"
	}
	if err := errors.Join(flag.Set("rapid.checks", rounds), flag.Set("rapid.shrinktime", "5s")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// self is this test binary as a command, behind the emulator it may run under.
func self(args ...string) []string {
	return append(append(strings.Fields(os.Getenv("CI_EMULATOR")), os.Args[0]), args...)
}

func checkCommand() []string { return self("child-check") }

// start opens a store and runs it; stop ends and closes it.
func start(t testing.TB, dir string, o Options) (s *Store, stop func()) {
	t.Helper()
	if o.Check == nil {
		o.Check = checkCommand()
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// writer makes groups as a loop does: it numbers positions and links outputs.
type writer struct {
	last   mesh.Position
	chains map[mesh.DaemonID]*mesh.Chain
	heads  map[mesh.DaemonID]mesh.Position
}

func newWriter() *writer {
	return &writer{chains: make(map[mesh.DaemonID]*mesh.Chain), heads: make(map[mesh.DaemonID]mesh.Position)}
}

func (w *writer) chain(id mesh.DaemonID) *mesh.Chain {
	if w.chains[id] == nil {
		w.chains[id] = mesh.NewChain(mesh.OriginOf("test", id), 1, 0)
	}
	return w.chains[id]
}

// step makes a step with one output for each payload, sent to the broker.
func (w *writer) step(id mesh.DaemonID, input string, outputs ...string) mesh.Step {
	w.last++
	s := mesh.Step{
		Position: w.last, Daemon: id, Epoch: 1, Emitted: uint32(len(outputs)),
		Event: mesh.Event{
			Topic: "in", Source: "src", ID: mesh.NumberID(uint64(w.last)), Time: int64(w.last), Payload: []byte(input),
		},
	}
	chain := w.chain(id)
	for _, payload := range outputs {
		w.last++
		s.Outs = append(s.Outs, mesh.Out{
			Position: w.last, Daemon: id, Epoch: 1, Link: chain.Append([]byte(payload), 0), Payload: []byte(payload),
			Sends: []mesh.Send{{Topic: "o/" + string(id) + "/out", QoS: 1}},
		})
	}
	s.Head = chain.Head()
	w.heads[id] = s.Position
	return s
}

func (w *writer) snapshot(id mesh.DaemonID, state string) mesh.Snapshot {
	return mesh.Snapshot{
		Daemon: id, Kind: "test", Position: w.heads[id], Head: w.chain(id).Head(), Stateful: true, State: []byte(state),
	}
}

func commit(t testing.TB, s *Store, g mesh.Group) {
	t.Helper()
	if err := try(s, g); err != nil {
		t.Fatal(err)
	}
}

func try(s *Store, g mesh.Group) error {
	done := make(chan error, 1)
	g.Done = func(err error) { done <- err }
	s.Commit(&g)
	return <-done
}

func inputs(t testing.TB, s *Store, id mesh.DaemonID, after mesh.Position) []string {
	t.Helper()
	var got []string
	err := s.Replay(id, after, func(step mesh.Step) error {
		got = append(got, string(step.Event.Payload))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestStepsComeBackInOrderAfterReopen(t *testing.T) {
	dir, w := t.TempDir(), newWriter()
	s, stop := start(t, dir, Options{})
	for i := range 10 {
		commit(t, s, mesh.Group{Steps: []mesh.Step{
			w.step("a", fmt.Sprint("a", i), fmt.Sprint("out", i)), w.step("b", fmt.Sprint("b", i)),
		}})
	}
	stop()
	s, _ = start(t, dir, Options{})
	for _, id := range []mesh.DaemonID{"a", "b"} {
		got := inputs(t, s, id, 0)
		if len(got) != 10 || got[9] != string(id)+"9" {
			t.Errorf("%s: replayed %q", id, got)
		}
		head, ok, err := s.Head(id)
		if err != nil || !ok || head != w.chain(id).Head() {
			t.Errorf("%s: head %+v, %v, %v", id, head, ok, err)
		}
	}
	if last, err := s.Last(); err != nil || last != w.last {
		t.Errorf("last position %d, %v: want %d", last, err, w.last)
	}
	rows, err := s.Next(Cursor{}, 100)
	if err != nil || len(rows) != 10 || string(rows[3].Payload) != "out3" || rows[3].Send.Topic != "o/a/out" {
		t.Errorf("outbox %+v, %v", rows, err)
	}
	if n, stats := s.Waiting("a"), s.Stats(); n != 10 || s.Waiting("b") != 0 || stats.Rows != 10 || stats.OldestRow <= 0 {
		t.Errorf("%d rows of a wait, stats %+v", n, stats)
	}
	if alarms := s.Alarms(); len(alarms) > 0 {
		t.Errorf("alarms %v", alarms)
	}
}

func TestReplayDoesNotHoldTheStore(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{})
	w := newWriter()
	for range 3 {
		g := mesh.Group{}
		for range replayBatch {
			g.Steps = append(g.Steps, w.step("a", "x"))
		}
		commit(t, s, g)
	}
	steps := 0
	err := s.Replay("a", 0, func(mesh.Step) error {
		if steps++; steps%replayBatch != 2 {
			return nil
		}
		if err := s.Put("docs", "key", nil); err != nil {
			return err
		}
		return s.Reopen(context.Background())
	})
	if err != nil || steps != 3*replayBatch {
		t.Errorf("%d steps, %v", steps, err)
	}
}
