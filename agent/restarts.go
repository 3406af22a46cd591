package agent

import (
	"math/rand/v2"
	"time"
)

// The rules by which a crashed daemon comes back.
const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 60 * time.Second
	loopCrashes  = 5 // so many crashes ...
	loopWithin   = 60 * time.Second
	loopPause    = 5 * time.Minute // ... within loopWithin pause the daemon this long
	calm         = 5 * time.Minute // without a crash, the backoff begins anew
)

// restarts decides when a crashed daemon runs again. Times are CLOCK_BOOTTIME.
type restarts struct {
	recent []time.Duration // the newest crashes, oldest first, at most loopCrashes
	delay  time.Duration
}

// crash notes a crash and says how long to wait, and whether the daemon is crash-looping.
func (r *restarts) crash(now time.Duration, jitter *rand.Rand) (wait time.Duration, looping bool) {
	if n := len(r.recent); n > 0 && now-r.recent[n-1] > calm {
		r.recent, r.delay = r.recent[:0], 0
	}
	r.recent = append(r.recent, now)
	if len(r.recent) > loopCrashes {
		r.recent = r.recent[1:]
	}
	if len(r.recent) == loopCrashes && now-r.recent[0] <= loopWithin {
		r.recent, r.delay = r.recent[:0], 0
		return loopPause, true
	}
	r.delay = min(max(firstBackoff, 2*r.delay), lastBackoff)
	return r.delay*3/4 + time.Duration(jitter.Int64N(int64(r.delay/2))), false
}
