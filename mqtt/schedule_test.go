package mqtt

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
)

func TestScheduleSendsEachRowOnceAndEachDaemonInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		box, now := &shelf{}, time.Unix(0, 0)
		daemons := rapid.SampledFrom([]mesh.DaemonID{"a", "b", "c"})
		add := func(most int) { box.add(daemons.Draw(t, "daemon"), "t", rapid.IntRange(1, most).Draw(t, "rows")) }
		for range rapid.IntRange(0, 5).Draw(t, "runs before") {
			add(100)
		}
		s := newSchedule(box, rapid.SampledFrom([]int{0, 1, 50}).Draw(t, "rate"))
		sent := map[mesh.DaemonID][]Cursor{}
		total, turns := 0, rapid.IntRange(0, 600).Draw(t, "turns")
		for turn := 0; turn < turns || total < int(box.last); turn++ {
			if turn < turns && rapid.IntRange(0, 9).Draw(t, "new rows") == 0 {
				add(20)
			}
			if !s.ready {
				check(t, s.survey())
				continue
			}
			row, ok, wait, err := s.next(now)
			check(t, err)
			switch {
			case ok:
				total++
				sent[row.Daemon] = append(sent[row.Daemon], row.At)
				if rapid.Bool().Draw(t, "confirmed") {
					box.Done([]Cursor{row.At})
				}
			case wait > 0:
				now = now.Add(wait)
			case total < int(box.last):
				t.Fatalf("%d of %d rows sent, and nothing more to do", total, box.last)
			}
		}
		if total != int(box.last) {
			t.Fatalf("%d rows sent of %d", total, box.last)
		}
		for id, rows := range sent {
			for i := 1; i < len(rows); i++ {
				if !rows[i-1].Less(rows[i]) {
					t.Fatalf("%s: %v after %v", id, rows[i], rows[i-1])
				}
			}
		}
	})
}

func TestScheduleLetsThoseWithoutBacklogGoFirst(t *testing.T) {
	box := &shelf{}
	box.add("late", "t", 100)
	s := newSchedule(box, 10)
	for !s.ready {
		check(t, s.survey())
	}
	box.add("late", "t", 1)
	box.add("prompt", "t", 3)
	now := time.Unix(0, 0)
	var order []string
	for range 5 {
		row, ok, _, err := s.next(now)
		check(t, err)
		if ok {
			order = append(order, fmt.Sprint(row.Daemon, row.At.Position))
		}
	}
	// One row of the backlog may go at once; the next has to wait for its turn.
	if want := []string{"prompt102", "prompt103", "prompt104", "late1"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
	if _, ok, wait, _ := s.next(now); ok || wait != 100*time.Millisecond {
		t.Errorf("row %v, wait %v", ok, wait)
	}
}
