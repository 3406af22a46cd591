package agent

import (
	"math"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

const (
	slowSample    = time.Millisecond // Health and Saturation should take microseconds
	slowPause     = 20               // ticks between two samples of a daemon that is slow to answer
	smoothing     = 0.25             // weight of a new saturation sample
	saturationGap = 0.1              // a change below it is not told
)

// vitals are the health and saturation of one daemon as people see them: checked, smoothed, and changed only by more
// than noise.
type vitals struct {
	health     mesh.Health
	since      time.Duration // when the level last changed, CLOCK_BOOTTIME
	saturation float64       // smoothed
	told       float64       // the saturation last told
	sampled    bool
	skip       int // ticks to leave the daemon alone
	slow       uint64
	refused    uint64 // samples that were no number
}

// due reports whether the daemon is to be sampled on this tick.
func (v *vitals) due() bool {
	if v.skip > 0 {
		v.skip--
		return false
	}
	return true
}

// sample takes a new reading; took is how long the daemon needed to answer. It reports what changed enough to be told.
func (v *vitals) sample(
	h mesh.Health, saturation float32, invalid bool, took, now time.Duration,
) (health, load bool) {
	if took > slowSample {
		v.slow++
		v.skip = slowPause
	}
	health = h.Level != v.health.Level
	if health {
		v.since = now
	}
	v.health = h
	switch s := float64(saturation); {
	case invalid || math.IsNaN(s):
		v.refused++
	case !v.sampled:
		v.saturation = clamp(s)
	default:
		v.saturation += smoothing * (clamp(s) - v.saturation)
	}
	load = math.Abs(v.saturation-v.told) >= saturationGap
	if load {
		v.told = v.saturation
	}
	v.sampled = true
	return health, load
}

func clamp(s float64) float64 { return min(max(s, 0), 1) }
