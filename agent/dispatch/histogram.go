package dispatch

import (
	"math/bits"
	"time"
)

// The histogram's buckets double every eight, from 1 ns to about 36 minutes, so that a quantile is at most an eighth
// too high.
const (
	subBits = 3
	buckets = 40 << subBits
)

// histogram counts durations. It belongs to the loop, and takes no memory but its own.
type histogram struct {
	counts [buckets]uint32
	count  uint64
	max    int64
}

func (h *histogram) add(ns int64) {
	ns = max(ns, 0)
	h.counts[bucketOf(uint64(ns))]++
	h.count++
	h.max = max(h.max, ns)
}

func bucketOf(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	shift := bits.Len64(ns) - subBits - 1
	return min((shift+1)<<subBits+int(ns>>shift&(1<<subBits-1)), buckets-1)
}

// upper is the largest duration of a bucket.
func upper(bucket int) int64 {
	if bucket < 1<<subBits {
		return int64(bucket)
	}
	shift := bucket>>subBits - 1
	return int64(1<<subBits|bucket&(1<<subBits-1)+1)<<shift - 1
}

// quantiles sums the histogram up.
func (h *histogram) quantiles() Quantiles {
	q := Quantiles{Count: h.count, Max: time.Duration(h.max)}
	if h.count == 0 {
		return q
	}
	targets := [3]uint64{h.count / 2, h.count * 99 / 100, h.count * 999 / 1000}
	values := [3]*time.Duration{&q.P50, &q.P99, &q.P999}
	seen, next := uint64(0), 0
	for i := range h.counts {
		seen += uint64(h.counts[i])
		for next < len(targets) && seen > targets[next] {
			*values[next] = time.Duration(min(upper(i), h.max))
			next++
		}
	}
	return q
}
