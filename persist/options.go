package persist

import (
	"log/slog"
	"time"
)

// Options says how a store is kept. The zero value is the production setting.
type Options struct {
	// Limits bound what the store keeps.
	Limits Limits
	// ReadOnly opens the file for reading beside nobody: it fails with LockedError while an agent runs.
	ReadOnly bool
	// Check is the command that runs CheckMain in a child process, such as {"/usr/bin/edge-agent", "check-state"}; the
	// arguments of CheckMain are added to it. Without it a file left by an unclean stop is opened unchecked.
	Check []string
	// CheckTimeout bounds the child process; 60 s by default.
	CheckTimeout time.Duration
	// Alarm hears of damage and loss, from whatever goroutine found it. It must not call the store.
	Alarm func(Alarm)
	// Clock gives the wall clock, for the age of outbox rows and the names of damaged files.
	Clock func() time.Time
	Log   *slog.Logger
	// Fault is asked before each step of a write, named by op and counted from 1; an error makes that step fail. It is
	// for rigs that test what happens then.
	Fault func(op string, n int) error
}

// Limits bound the parts of a store; zero fields take the defaults.
type Limits struct {
	File          int64         // size of the file in bytes: 128 MiB
	Journal       int64         // bytes of steps, outputs and inputs that a restart needs: 32 MiB
	Outbox        int64         // bytes of outputs that wait for the broker: 64 MiB
	OutboxRows    int           // number of outputs that wait: 500,000
	OutboxAge     time.Duration // how long an output may wait: 14 days
	Snapshots     int64         // bytes of all kept snapshots: 16 MiB
	SnapshotValue int           // a larger snapshot is kept in a file of its own: 64 KiB
	Documents     int64         // bytes of all documents: 8 MiB
	Poison        int64         // bytes of the poison list, the oldest out first: 4 MiB
	Damaged       int           // number of damaged files kept beside: 3
}

func (o Options) withDefaults() Options {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	l := &o.Limits
	set(&l.File, 128<<20)
	set(&l.Journal, 32<<20)
	set(&l.Outbox, 64<<20)
	set(&l.Snapshots, 16<<20)
	set(&l.Documents, 8<<20)
	set(&l.Poison, 4<<20)
	count := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	count(&l.OutboxRows, 500_000)
	count(&l.SnapshotValue, 64<<10)
	count(&l.Damaged, 3)
	if l.OutboxAge <= 0 {
		l.OutboxAge = 14 * 24 * time.Hour
	}
	if o.CheckTimeout <= 0 {
		o.CheckTimeout = time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Alarm == nil {
		o.Alarm = func(Alarm) {}
	}
	if o.Fault == nil {
		o.Fault = func(string, int) error { return nil }
	}
	return o
}
