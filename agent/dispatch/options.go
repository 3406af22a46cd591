package dispatch

import (
	"log/slog"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Journal keeps what durable daemons did. Commit never blocks; it calls the group's Done once, in the order of the
// groups, from any goroutine. The group and all it refers to are the loop's again after that.
type Journal interface{ Commit(*mesh.Group) }

// Options says how a Host works. Journal may be nil where every daemon is volatile.
type Options struct {
	Journal Journal
	// First is the position of the first record that the loop writes.
	First mesh.Position
	Clock Clock
	Hooks Hooks
	Log   *slog.Logger
	// Groups bounds the groups on their way to the disk, by default 8.
	Groups int
	// Workers is the size of the pool for deferred tasks, by default GOMAXPROCS and at least 2.
	Workers int
	// Ticks drives the watchdog; nil is a ticker of 100 ms. A tick counts only when it is received.
	Ticks <-chan time.Time
	// Hard is how many ticks one call of a daemon may last, by default 10; Quit how many more it has to return before
	// Hooks.Stuck, by default 50.
	Hard, Quit int
}

// Hooks are told what happens. They are called on the loop's goroutine: they must not block, and must not wait for a
// method of the Host. Any of them may be nil.
type Hooks struct {
	// Publish sends an output at QoS 0, once it may leave the node. The publication is valid until it returns.
	Publish func(*Publication)
	// Crash reports a daemon that panicked or did not return. It waits in the mode it had, taking no event, until
	// Replace or Remove. All its steps are on disk by then.
	Crash func(Crash)
	// Stuck reports a daemon whose call has not returned long after its Crash: only a new process gets rid of it.
	Stuck func(mesh.DaemonID)
	// Failed says that a group may not be on disk. Every durable daemon has stopped and takes nothing until it is
	// removed and added again from what the store holds.
	Failed func(error)
	// Gap reports inputs that a daemon will never see.
	Gap func(Gap)
	// Snapped reports each try to take a snapshot: Err is nil once it is on disk.
	Snapped func(id mesh.DaemonID, position mesh.Position, err error)
}

// Publication is an output on its way to the broker.
type Publication struct {
	Daemon      mesh.DaemonID
	Epoch       uint64
	Incarnation uint32
	Link        mesh.Link
	Payload     []byte
	Wall        int64 // Unix nanoseconds
	Send        *mesh.Send
}

// Crash is the end of a daemon's instance.
type Crash struct {
	Daemon mesh.DaemonID
	Reason string
	Stack  []byte
	// Stuck says that a call did not return; its goroutine still holds the instance.
	Stuck bool
	// Attempt counts the crashes over this event. Poison says that the event was set aside.
	Attempt int
	Poison  bool
	// Head is the chain on disk, with which a durable daemon goes on.
	Head mesh.Head
}

// Gap counts inputs that were given up.
type Gap struct {
	Daemon mesh.DaemonID
	Reason string
	Count  uint64
}

// Sample is what a daemon says about itself.
type Sample struct {
	Health     mesh.Health
	Saturation float32 // 0 to 1
	// Invalid says that the daemon gave no number for its saturation, which then is the last one.
	Invalid bool
	// HealthTook and SaturationTook are how long the daemon needed to say so.
	HealthTook, SaturationTook time.Duration
}
