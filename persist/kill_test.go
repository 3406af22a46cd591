package persist

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

// counter is the daemon of the kill test: its state is how many inputs it had, its output k says k.
type counter struct {
	id    mesh.DaemonID
	count uint64
	chain *mesh.Chain
	last  mesh.Position
}

var counterIDs = []mesh.DaemonID{"one", "two", "three"}

// restore brings a counter back as a node does: snapshot, then replay.
func restore(s *Store, id mesh.DaemonID) (*counter, error) {
	c := &counter{id: id, chain: mesh.NewChain(mesh.OriginOf("test", id), 1, 0)}
	snap, ok, err := s.Load(id)
	if err != nil {
		return nil, err
	}
	if ok {
		c.last = snap.Position
		if c.count, err = strconv.ParseUint(strings.TrimLeft(string(snap.State), " "), 10, 64); err != nil {
			return nil, err
		}
		if c.count != snap.Head.Link.Sequence {
			return nil, fmt.Errorf("%s: snapshot of %d with head %d", id, c.count, snap.Head.Link.Sequence)
		}
	}
	err = s.Replay(id, c.last, func(step mesh.Step) error {
		if want := strconv.FormatUint(c.count+1, 10); string(step.Event.Payload) != want {
			return fmt.Errorf("%s: step %d holds %q, want %q", id, step.Position, step.Event.Payload, want)
		}
		c.count++
		c.last = step.Position
		return nil
	})
	if err != nil {
		return nil, err
	}
	head, ok, err := s.Head(id)
	if err != nil {
		return nil, err
	}
	if ok {
		c.chain = mesh.ResumeChain(head)
	}
	return c, nil
}

// runWriter writes so many groups, or until it is killed, and says before and after each which counts it holds.
func runWriter(dir string, seed, groups uint64, out io.Writer) error {
	s, err := Open(dir, Options{Check: checkCommand()})
	if err != nil {
		return err
	}
	go func() { _ = s.Run(context.Background()) }() // ends with the process
	var counters []*counter
	for _, id := range counterIDs {
		c, err := restore(s, id)
		if err != nil {
			return err
		}
		counters = append(counters, c)
	}
	last, err := s.Last()
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 1))
	done := make(chan error, 8)
	inFlight := 0
	for range groups {
		g := &mesh.Group{Done: func(err error) { done <- err }}
		for range 1 + random.IntN(20) {
			c := counters[random.IntN(len(counters))]
			last = c.feed(g, last)
			if random.IntN(10) == 0 {
				state := fmt.Sprintf("%*d", random.IntN(100)*random.IntN(1000), c.count)
				g.Snapshots = append(g.Snapshots, mesh.Snapshot{
					Daemon: c.id, Kind: "counter", Position: c.last, Head: c.chain.Head(), Stateful: true,
					State: []byte(state),
				})
			}
		}
		said := fmt.Sprint(counters[0].count, counters[1].count, counters[2].count)
		fmt.Fprintln(out, "try", said)
		s.Commit(g)
		if inFlight++; inFlight < cap(done)/2 && random.IntN(2) == 0 {
			continue
		}
		for ; inFlight > 0; inFlight-- {
			if err := <-done; err != nil {
				return err
			}
		}
		fmt.Fprintln(out, "ack", said)
		rows, err := s.Next(Cursor{}, random.IntN(30))
		if err != nil {
			return err
		}
		for _, row := range rows {
			s.Done(row.Cursor)
		}
	}
	return nil
}

func (c *counter) feed(g *mesh.Group, last mesh.Position) mesh.Position {
	c.count++
	c.last = last + 1
	text := strconv.FormatUint(c.count, 10)
	out := mesh.Out{
		Position: last + 2, Daemon: c.id, Epoch: 1, Link: c.chain.Append([]byte(text), 0), Payload: []byte(text),
		Sends: []mesh.Send{{Topic: "o/" + string(c.id), QoS: 1}},
	}
	g.Steps = append(g.Steps, mesh.Step{
		Position: c.last, Daemon: c.id, Epoch: 1, Event: mesh.Event{Payload: []byte(text)}, Emitted: 1,
		Outs: []mesh.Out{out}, Head: c.chain.Head(),
	})
	return last + 2
}

// TestKilledStoreHasWhatItAcknowledged kills a writing process again and again and looks at what it left.
func TestKilledStoreHasWhatItAcknowledged(t *testing.T) {
	rounds := 5
	if os.Getenv("CI_LONG") != "" {
		rounds = 50
	}
	dir, seed := t.TempDir(), uint64(20261130)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range rounds {
		acked, tried := killOnce(t, dir, seed+uint64(round), 1+random.IntN(60))
		s, stop := start(t, dir, Options{})
		for i, id := range counterIDs {
			c, err := restore(s, id)
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if c.count < acked[i] || c.count > tried[i] {
				t.Errorf("round %d: %s counted %d: acknowledged %d, tried %d", round, id, c.count, acked[i], tried[i])
			}
			if want := chainOf(id, c.count).Head(); c.count > 0 && c.chain.Head() != want {
				t.Errorf("round %d: %s: head %+v, want %+v", round, id, c.chain.Head(), want)
			}
			checkRows(t, s, id, c.count)
		}
		if alarms := s.Alarms(); len(alarms) > 0 {
			t.Errorf("round %d: alarms %v", round, alarms)
		}
		stop()
		if t.Failed() {
			t.FailNow()
		}
	}
}

func chainOf(id mesh.DaemonID, count uint64) *mesh.Chain {
	chain := mesh.NewChain(mesh.OriginOf("test", id), 1, 0)
	for k := range count {
		chain.Append(strconv.AppendUint(nil, k+1, 10), 0)
	}
	return chain
}

// checkRows wants the waiting outputs of a daemon to be its newest ones, without a hole.
func checkRows(t *testing.T, s *Store, id mesh.DaemonID, count uint64) {
	t.Helper()
	rows, err := s.Next(Cursor{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	for _, row := range rows {
		if row.Daemon != id {
			continue
		}
		if last != 0 && row.Link.Sequence != last+1 || string(row.Payload) != strconv.FormatUint(row.Link.Sequence, 10) {
			t.Errorf("%s: row %d with %q follows %d", id, row.Link.Sequence, row.Payload, last)
		}
		last = row.Link.Sequence
	}
	if last != 0 && last != count {
		t.Errorf("%s: newest row %d of %d outputs", id, last, count)
	}
}

// killOnce lets a child write until it has acknowledged some groups, kills it, and returns what it said last.
func killOnce(t *testing.T, dir string, seed uint64, groups int) (acked, tried [3]uint64) {
	t.Helper()
	command := self("child-writer", dir, fmt.Sprint(seed), fmt.Sprint(uint64(1)<<40))
	cmd := exec.Command(command[0], command[1:]...)
	acked, tried = listen(t, cmd, func() {
		if groups--; groups == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := cmd.Wait(); err == nil || groups > 0 {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return acked, tried
}

// writeUntilEnd lets a child write until it ends by itself, and returns what it said last, and whether it failed.
func writeUntilEnd(t *testing.T, cmd *exec.Cmd) (acked, tried [3]uint64, failed bool) {
	t.Helper()
	acked, tried = listen(t, cmd, func() {})
	var ended *exec.ExitError
	err := cmd.Wait()
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return acked, tried, err != nil
}

// listen starts a writer and follows what it says, to the end.
func listen(t *testing.T, cmd *exec.Cmd, acknowledged func()) (acked, tried [3]uint64) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var verb string
		var counts [3]uint64
		if _, err := fmt.Sscan(lines.Text(), &verb, &counts[0], &counts[1], &counts[2]); err != nil {
			break // the last line may be cut
		}
		tried = counts
		if verb == "ack" {
			acked = counts
			acknowledged()
		}
	}
	return acked, tried
}
