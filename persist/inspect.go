package persist

import (
	"slices"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// Inventory is what a store holds, found by reading all of it.
type Inventory struct {
	Daemons  []Holding
	Journal  int64 // bytes, with what was moved aside
	Outbox   int64
	Rows     int
	Poison   int
	Gaps     int
	Problems []Alarm // what is damaged or missing
}

// Holding is what a store holds of one daemon.
type Holding struct {
	Daemon    mesh.DaemonID
	Head      mesh.Head
	Last      mesh.Position // of its newest step
	Snapshots []Snapshot    // oldest first
	Steps     int           // behind the newest snapshot: what a restart replays
	Givens    int           // inputs that wait to be processed
	Rows      int           // outputs that wait for the broker
}

// Snapshot says which snapshot is kept, without its state.
type Snapshot struct {
	Position mesh.Position
	Size     int64
	Beside   bool // in a file of its own
}

// Inspect reads the whole store and changes nothing. It is for a store that was opened for reading only.
func (s *Store) Inspect() (Inventory, error) {
	s.file.RLock()
	defer s.file.RUnlock()
	if s.db == nil {
		return Inventory{}, ErrClosed
	}
	sc, err := s.scan()
	if err != nil {
		return Inventory{}, err
	}
	b := sc.b
	inv := Inventory{
		Journal: b.journal + b.kept, Outbox: b.outbox, Rows: b.counts.rows, Poison: b.counts.poison,
		Gaps: b.counts.gaps, Problems: sc.told,
	}
	for _, a := range b.daemons {
		if a.forgotten {
			continue
		}
		h := Holding{
			Daemon: a.id, Head: a.head, Last: a.last, Steps: sc.fresh[a], Givens: int(a.given), Rows: a.rows,
		}
		for _, k := range a.snapshots {
			h.Snapshots = append(h.Snapshots, Snapshot{Position: k.position, Size: k.size, Beside: k.beside})
		}
		inv.Daemons = append(inv.Daemons, h)
	}
	slices.SortFunc(inv.Daemons, func(a, b Holding) int { return strings.Compare(string(a.Daemon), string(b.Daemon)) })
	return inv, nil
}
