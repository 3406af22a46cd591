package dispatch

import (
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Stats are the figures of a host since it began, but for the depths, which are of now.
type Stats struct {
	Daemons []DaemonStats
	Lanes   []LaneStats
	// Unmatched counts inputs that matched no binding, Unclaimed those acknowledged at once because no durable daemon
	// wanted them, Withheld those never acknowledged because a commit failed.
	Unmatched, Unclaimed, Withheld uint64
	// Groups counts those handed to the journal, InFlight those not yet on disk.
	Groups   uint64
	InFlight int
	// Abandoned counts the calls that did not return in time.
	Abandoned uint64
}

// LaneStats counts the inputs of one producer.
type LaneStats struct {
	Name          string
	Taken, Full   uint64
	Depth, Length int
}

// DaemonStats are the figures of one daemon.
type DaemonStats struct {
	ID     mesh.DaemonID
	Mode   Mode
	Phase  Phase
	Head   mesh.Head // on disk, for a durable daemon
	Events uint64    // events processed
	// Outputs counts what was emitted, Failed the events whose Process gave an error, Crashes the panics and calls that
	// did not return, Poisoned the events set aside.
	Outputs, Failed, Crashes, Poisoned uint64
	// LastError is that of the last event that failed or crashed the daemon, or was not understood.
	LastError string
	// Slow counts calls above the soft budget.
	Slow uint64
	// Duplicate, Late, Undecoded and Repeated count inputs that were not processed: seen before, below the window, not
	// understood, and retained values that had not changed.
	Duplicate, Late, Undecoded, Repeated uint64
	// Forgotten counts the sources whose ids had to make room for those of others: their inputs may repeat.
	Forgotten uint64
	// Dropped counts QoS 0 inputs without room, Rejected others; Spilled those written before they were processed.
	Dropped, Rejected, Spilled uint64
	// Inbox is how many events wait, InboxBytes their payloads; Tasks how many deferred tasks have no result.
	Inbox, InboxBytes, Tasks int
	// Process is how long Process took. At high rates only some of the calls are measured.
	Process Quantiles
}

// Quantiles sums up a histogram of durations.
type Quantiles struct {
	Count               uint64
	P50, P99, P999, Max time.Duration
}

// Phase says whether a daemon takes events.
type Phase uint8

const (
	Running Phase = iota
	Crashed       // waits for Replace
	Failed        // waits to be removed and added again, after a failed commit
)

// figures sums up everything.
func (l *loop) figures() Stats {
	s := l.stats
	s.InFlight = l.inFlight
	for _, lane := range *l.lanes.Load() {
		s.Lanes = append(s.Lanes, LaneStats{
			Name: lane.name, Taken: lane.taken, Full: lane.full.Load(), Depth: lane.depth(), Length: len(lane.slots),
		})
	}
	for _, d := range l.all {
		f := d.tally
		f.ID, f.Mode, f.Phase, f.Head = d.ID, d.Mode, d.phase, d.committed
		if !d.durable {
			f.Head = d.ledger.Head()
		}
		f.Inbox, f.InboxBytes, f.Tasks = d.inbox.len(), d.inbox.bytes, len(d.ledger.tasks)
		f.Forgotten, _ = d.ledger.dedup.Evicted()
		for _, p := range d.ports {
			f.Events += p.events
		}
		f.Process = d.took.quantiles()
		s.Daemons = append(s.Daemons, f)
	}
	return s
}
