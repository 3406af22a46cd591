package mesh

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"
)

// Horizon is a 64-bit bloom filter of the origins that a daemon has observed directly: three bits for each.
type Horizon uint64

// Add returns the horizon with the origin in it.
func (h Horizon) Add(o Origin) Horizon { return h | bits(o) }

// MayHave reports whether the origin can be in the horizon; false is certain.
func (h Horizon) MayHave(o Origin) bool { return h&bits(o) == bits(o) }

func bits(o Origin) Horizon {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(o))
	hash := xxh3.Hash(b[:])
	first, step := uint32(hash), uint32(hash>>32)|1
	return 1<<(first%64) | 1<<((first+step)%64) | 1<<((first+2*step)%64)
}

// MaxObserved bounds the origins an Observer remembers.
const MaxObserved = 64

// Observer remembers the origins a daemon has seen, up to MaxObserved, and keeps their horizon.
type Observer struct {
	origins []Origin
	horizon Horizon
	last    Origin
}

// NewObserver goes on from the origins of a snapshot.
func NewObserver(origins []Origin) *Observer {
	o := &Observer{}
	for _, origin := range origins {
		o.Observe(origin)
	}
	return o
}

// Observe adds an origin; past MaxObserved new ones are left out.
func (o *Observer) Observe(origin Origin) {
	if len(o.origins) > 0 && origin == o.last {
		return
	}
	o.last = origin
	if len(o.origins) >= MaxObserved || slices.Contains(o.origins, origin) {
		return
	}
	o.origins = append(o.origins, origin)
	o.horizon = o.horizon.Add(origin)
}

// Horizon is that of all remembered origins.
func (o *Observer) Horizon() Horizon { return o.horizon }

// Origins are the remembered ones, in the order they were first seen.
func (o *Observer) Origins() []Origin { return slices.Clone(o.origins) }
