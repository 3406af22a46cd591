package lossy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Mode is what a cut does to that which was not synced.
type Mode string

// The ways to lose what was not synced.
const (
	Drop    Mode = "drop"    // all of it is gone
	Reorder Mode = "reorder" // a random part of it is there, early or late
	Torn    Mode = "torn"    // a random part of its sectors is there
)

// Sector is what a disk writes whole.
const Sector = 512

// Cut is a power cut.
type Cut struct {
	After int // the change or sync before which it happens, counted from the last cut; see Disk.Ops
	Mode  Mode
	Seed  uint64
}

func (c Cut) String() string {
	return fmt.Sprintf("%s before operation %d, seed %d", c.Mode, c.After, c.Seed)
}

// CutAt has the power cut at an operation to come. The channel is closed when it has happened; whatever is asked of the
// disk from then on, before it is mounted again, gives EIO.
func (d *Disk) CutAt(c Cut) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.due, d.cut = &c, make(chan struct{})
	return d.cut
}

// CutNow cuts the power at once.
func (d *Disk) CutNow(c Cut) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apply(c)
}

func (d *Disk) apply(c Cut) {
	if c.Mode != Drop {
		d.keepSome(c)
	}
	d.restart()
	d.mount++
	d.ops = 0
	if d.due != nil {
		d.due = nil
		close(d.cut)
	}
}

// keepSome settles a random part of what was not synced; how large a part is random too.
func (d *Disk) keepSome(c Cut) {
	random := rand.New(rand.NewPCG(c.Seed, 1))
	share := random.Float64()
	kept := func() bool { return random.Float64() < share }
	for _, change := range d.names {
		if kept() {
			change.settle()
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.nodes)) {
		n := d.nodes[id]
		for _, w := range n.pending {
			for _, part := range w.parts(c.Mode) {
				if kept() {
					n.disk = part.put(n.disk)
				}
			}
		}
	}
}

// parts are what survives a cut together.
func (w write) parts(m Mode) []write {
	if m != Torn || len(w.data) == 0 {
		return []write{w}
	}
	var parts []write
	for at, rest := w.at, w.data; len(rest) > 0; {
		size := min(Sector-int(at%Sector), len(rest))
		parts = append(parts, write{at: at, data: rest[:size]})
		at, rest = at+int64(size), rest[size:]
	}
	return parts
}
