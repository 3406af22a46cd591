package dispatch

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock tells the loop the time and wakes it. Boot and Wall are called by one goroutine at a time.
type Clock interface {
	// Boot is CLOCK_BOOTTIME in nanoseconds: it never goes back, and goes on during suspend.
	Boot() int64
	// Wall is the wall clock in Unix nanoseconds.
	Wall() int64
	// Alarm sends on c, without blocking, when Boot reaches at, or sooner. Each call replaces the one before.
	Alarm(at int64, c chan<- struct{})
}

// calibration is how long the monotonic clock stands in for the boot clock, which takes a system call to read. After a
// suspend Boot is behind by no longer than that.
const calibration = 50 * time.Millisecond

// longestSleep bounds an alarm, whose timer stands still during suspend.
const longestSleep = time.Second

type systemClock struct {
	start  time.Time
	synced time.Duration // since start
	offset int64         // boot time at start
	timer  *time.Timer
}

// SystemClock is the clock of this machine.
func SystemClock() Clock {
	c := &systemClock{start: time.Now()}
	c.sync(0)
	return c
}

func (c *systemClock) Boot() int64 {
	now := time.Since(c.start)
	if now-c.synced >= calibration {
		c.sync(now)
	}
	return c.offset + int64(now)
}

func (c *systemClock) sync(now time.Duration) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err == nil {
		// The boot clock is read after the monotonic one, so the offset only grows by the time in between.
		c.offset = max(c.offset, ts.Nano()-int64(time.Since(c.start)))
	}
	c.synced = now
}

func (c *systemClock) Wall() int64 { return time.Now().UnixNano() }

func (c *systemClock) Alarm(at int64, wake chan<- struct{}) {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(min(time.Duration(at-c.Boot()), longestSleep), func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
}
