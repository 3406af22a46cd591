package persist

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/edge-agent/edge-agent/mesh"
)

// TestJournalStaysSmallWhileDaemonsAreSnapshotted writes much more than the limit and snapshots as Oldest asks.
func TestJournalStaysSmallWhileDaemonsAreSnapshotted(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{Journal: 256 << 10}})
	w, most := newWriter(), int64(0)
	for i := range 200 {
		g := mesh.Group{}
		for _, id := range []mesh.DaemonID{"a", "b", "c"} {
			g.Steps = append(g.Steps, w.step(id, strings.Repeat("x", 500), "out"))
		}
		for _, id := range s.Oldest() {
			g.Snapshots = append(g.Snapshots, w.snapshot(id, fmt.Sprint(i)))
		}
		commit(t, s, g)
		rows, err := s.Next(Cursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			s.Done(row.Cursor)
		}
		most = max(most, s.Stats().Journal)
	}
	if most > 256<<10 {
		t.Errorf("journal grew to %d bytes", most)
	}
}

// TestStoppedDaemonAndUnsentOutputsDoNotHoldTheJournal leaves one daemon without snapshots, and all outputs unsent.
func TestStoppedDaemonAndUnsentOutputsDoNotHoldTheJournal(t *testing.T) {
	dir := t.TempDir()
	options := Options{Limits: Limits{Journal: 128 << 10}}
	s, stop := start(t, dir, options)
	w := newWriter()
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("stopped", "one"), w.step("stopped", "two", "its output")}})
	for i := range 200 {
		g := mesh.Group{Steps: []mesh.Step{w.step("busy", strings.Repeat("x", 500), "out")}}
		if i%20 == 0 {
			g.Snapshots = []mesh.Snapshot{w.snapshot("busy", fmt.Sprint(i))}
		}
		commit(t, s, g)
	}
	if journal := s.Stats().Journal; journal > 128<<10 {
		t.Errorf("journal holds %d bytes", journal)
	}
	for range 2 {
		if got := inputs(t, s, "stopped", 0); len(got) != 2 || got[1] != "two" {
			t.Errorf("the stopped daemon replays %q", got)
		}
		rows, err := s.Next(Cursor{}, 1000)
		if err != nil || len(rows) != 201 || string(rows[0].Payload) != "its output" {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		if alarms := s.Alarms(); len(alarms) > 0 {
			t.Errorf("alarms %v", alarms)
		}
		stop()
		s, stop = start(t, dir, options)
	}
}

func TestFullJournalFailsGroupsUntilSnapshotsMakeRoom(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{Journal: 64 << 10}})
	w := newWriter()
	var err error
	for range 1000 {
		if err = try(s, mesh.Group{Steps: []mesh.Step{w.step("a", strings.Repeat("x", 1000))}}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("no group failed for want of room: %v", err)
	}
	if err := s.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	if oldest := s.Oldest(); len(oldest) != 1 || oldest[0] != "a" {
		t.Errorf("to be snapshotted are %q", oldest)
	}
	steps := inputs(t, s, "a", 0)
	w.heads["a"], err = s.Last()
	if err != nil {
		t.Fatal(err)
	}
	for range keptSnapshots {
		commit(t, s, mesh.Group{Snapshots: []mesh.Snapshot{w.snapshot("a", fmt.Sprint(len(steps)))}})
	}
	commit(t, s, mesh.Group{})
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "goes on")}})
}

func TestFullOutboxGivesUpTheOldestAndSaysWhich(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, dir, Options{Limits: Limits{OutboxRows: 10}})
	w := newWriter()
	for range 15 {
		commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "", "x"), w.step("b", "", "y")}})
	}
	stop()
	s, _ = start(t, dir, Options{Limits: Limits{OutboxRows: 10}})
	gaps, err := s.Gaps()
	want := []Gap{
		{Daemon: "a", Epoch: 1, From: 1, To: 10, Reason: reasonFull},
		{Daemon: "b", Epoch: 1, From: 1, To: 10, Reason: reasonFull},
	}
	if err != nil || fmt.Sprint(gaps) != fmt.Sprint(want) {
		t.Fatalf("gaps %v, %v: want %v", gaps, err, want)
	}
	rows, err := s.Next(Cursor{}, 100)
	if err != nil || len(rows) != 10 || rows[0].Link.Sequence != 11 {
		t.Errorf("%d rows, the first %+v, %v", len(rows), rows[0], err)
	}
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "", "x")}})
	for _, gap := range gaps {
		if err := s.GapDone(gap); err != nil {
			t.Fatal(err)
		}
	}
	gaps, err = s.Gaps()
	want = []Gap{{Daemon: "a", Epoch: 1, From: 11, To: 11, Reason: reasonFull}}
	if err != nil || fmt.Sprint(gaps) != fmt.Sprint(want) {
		t.Errorf("gaps after publishing %v, %v: want %v", gaps, err, want)
	}
}

// TestOldRowsAreGivenUpByTheStoresAgeNotTheWallClock lets the wall clock jump, and then the age.
func TestOldRowsAreGivenUpByTheStoresAgeNotTheWallClock(t *testing.T) {
	wall := time.Unix(0, 0)
	options := Options{Limits: Limits{OutboxAge: time.Hour}, Clock: func() time.Time { return wall }}
	dir, w := t.TempDir(), newWriter()
	s, stop := start(t, dir, options)
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "", "old")}})
	stop()
	wall = wall.AddDate(50, 0, 0)
	s, stop = start(t, dir, options)
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "", "young")}})
	if rows, err := s.Next(Cursor{}, 10); err != nil || len(rows) != 2 {
		t.Errorf("%d rows after a jump of the wall clock, %v", len(rows), err)
	}
	stop()
	s, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	s.aged += 2 * time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	commit(t, s, mesh.Group{})
	gaps, err := s.Gaps()
	if err != nil || len(gaps) != 1 || gaps[0].From != 1 || gaps[0].To != 2 || gaps[0].Reason != reasonAge {
		t.Errorf("gaps %v, %v", gaps, err)
	}
	cancel()
	if err := errors.Join(<-ended, s.Close()); err != nil {
		t.Error(err)
	}
}

func TestSnapshotWithoutRoomIsRefusedAndTheOldOnesStay(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{Snapshots: 5000}})
	w := newWriter()
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "")}, Snapshots: []mesh.Snapshot{w.snapshot("a", "small")}})
	commit(t, s, mesh.Group{
		Steps: []mesh.Step{w.step("a", "")}, Snapshots: []mesh.Snapshot{w.snapshot("a", strings.Repeat("x", 6000))},
	})
	snap, ok, err := s.Load("a")
	if err != nil || !ok || string(snap.State) != "small" {
		t.Errorf("snapshot %q, %v, %v", snap.State, ok, err)
	}
	if alarms := s.Alarms(); len(alarms) != 1 || alarms[0].Kind != Refused || alarms[0].Daemon != "a" {
		t.Errorf("alarms %v", alarms)
	}
}

func TestOlderSnapshotStandsInForADamagedOne(t *testing.T) {
	dir := t.TempDir()
	options := Options{Limits: Limits{SnapshotValue: 10}}
	s, stop := start(t, dir, options)
	w := newWriter()
	for i := range 3 {
		commit(t, s, mesh.Group{
			Steps:     []mesh.Step{w.step("a", fmt.Sprint("in", i))},
			Snapshots: []mesh.Snapshot{w.snapshot("a", fmt.Sprintf("state %d", i))},
		})
	}
	stop()
	damageFile(t, s.besidePath("a", 3))
	s, _ = start(t, dir, options)
	snap, ok, err := s.Load("a")
	if err != nil || !ok || string(snap.State) != "state 1" {
		t.Fatalf("snapshot %q, %v, %v", snap.State, ok, err)
	}
	if got := inputs(t, s, "a", snap.Position); len(got) != 1 || got[0] != "in2" {
		t.Errorf("replayed %q", got)
	}
	if alarms := s.Alarms(); len(alarms) != 1 || alarms[0].Kind != DamagedRecord || alarms[0].Daemon != "a" {
		t.Errorf("alarms %v", alarms)
	}
}

// TestWindowWaitsForOthersAndASyncGroupEndsIt measures in the bubble's own time.
func TestWindowWaitsForOthersAndASyncGroupEndsIt(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		w, begun := newWriter(), time.Now()
		done := make(chan time.Duration, 3)
		group := func(window time.Duration) {
			s.Commit(&mesh.Group{Steps: []mesh.Step{w.step("a", "")}, Window: window, Done: func(err error) {
				if err != nil {
					t.Error(err)
				}
				done <- time.Since(begun)
			}})
		}
		group(time.Minute)
		group(10 * time.Second)
		if first, second := <-done, <-done; first != 10*time.Second || second != first {
			t.Errorf("windows ended after %v and %v", first, second)
		}
		group(time.Minute)
		synctest.Wait()
		group(0)
		if first, second := <-done, <-done; first != 10*time.Second || second != first {
			t.Errorf("a sync group left a window waiting until %v", first)
		}
		if commits := s.Stats().Commits; commits != 2 {
			t.Errorf("%d commits", commits)
		}
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestDocumentWithoutRoomIsRefusedAndTheStoreGoesOn(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{Documents: 1000}})
	for range 3 { // replacing takes no more room
		if err := s.Put("b", "k", make([]byte, 600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put("b", "l", make([]byte, 600)); !errors.Is(err, ErrFull) {
		t.Errorf("put: %v", err)
	}
	if err := s.Put("b", "m", make([]byte, 100)); err != nil {
		t.Errorf("put of a small one: %v", err)
	}
}

func TestFullPoisonListDropsTheOldest(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{Poison: 3000}})
	w := newWriter()
	for i := range 6 {
		step := w.step("a", fmt.Sprint(i, strings.Repeat("x", 800)))
		step.Poison = true
		commit(t, s, mesh.Group{Steps: []mesh.Step{step}})
	}
	list, err := s.Poison()
	if err != nil || len(list) != 3 || list[0].Event.Payload[0] != '3' {
		t.Errorf("%d events, %v", len(list), err)
	}
}

// TestFullStoreFitsItsFile fills every part, at an eighth of the usual sizes, with records that leave half of their
// pages empty, and goes on.
func TestFullStoreFitsItsFile(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{
		File: 16 << 20, Journal: 4 << 20, Outbox: 8 << 20, Snapshots: 2 << 20, SnapshotValue: 8 << 10,
		Documents: 1 << 20, Poison: 512 << 10,
	}})
	w, payload := newWriter(), strings.Repeat("x", 2000)
	for i := range 64 {
		if err := s.Put("docs", fmt.Sprint(i), make([]byte, 15000)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 160 {
		g := mesh.Group{}
		for j := range 20 {
			id := mesh.DaemonID(fmt.Sprintf("d%02d", j))
			step := w.step(id, payload, payload)
			step.Poison = i%20 == 0
			g.Steps = append(g.Steps, step)
			if i%25 == j {
				g.Snapshots = append(g.Snapshots, w.snapshot(id, strings.Repeat("x", 50000)))
			}
		}
		commit(t, s, g)
	}
	stats := s.Stats()
	if stats.Outbox < stats.OutboxLimit/2 || stats.Snapshots < stats.SnapshotsLimit*9/10 || stats.Dropped == 0 {
		t.Errorf("the store was not filled: %+v", stats)
	}
}

func TestFileWithoutRoomFailsAndIsUsableAgain(t *testing.T) {
	s, _ := start(t, t.TempDir(), Options{Limits: Limits{File: 2 << 20}})
	kept := 0
	for ; ; kept++ {
		err := s.Put("docs", fmt.Sprint(kept), make([]byte, 100<<10))
		if errors.Is(err, berrors.ErrMaxSizeReached) {
			break
		}
		if err != nil || kept > 100 {
			t.Fatalf("document %d: %v", kept, err)
		}
	}
	if err := s.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		if _, ok, err := s.Get("docs", fmt.Sprint(i)); !ok || err != nil {
			t.Errorf("document %d of %d: %v, %v", i, kept, ok, err)
		}
		if err := s.Delete("docs", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put("docs", "again", make([]byte, 100<<10)); err != nil {
		t.Error(err)
	}
}
