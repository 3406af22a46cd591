package main

import (
	"time"

	"github.com/edge-agent/edge-agent/order"
)

// load is what a daemon is expected to be given and to emit.
type load struct {
	Events  float64 // a second
	Outputs float64 // a second, by the outbox
	Bytes   float64 // of one payload
	State   float64 // bytes of one snapshot
}

// What the store writes, measured on it: each commit rewrites the pages of its trees' upper levels, each record takes
// its payload and a head in the journal, and a record is copied about once more before its page is full.
const (
	commitBytes  = 20 << 10
	recordBytes  = 96
	recordCopies = 1.2
	fastestDisk  = 500 // commits a second; what comes faster is grouped
	settleTime   = 1   // seconds that rows which were sent wait to be deleted with other writes
)

// wear is the expected writing of one daemon.
type wear struct {
	Commits  float64 `json:"commits_per_second"`
	GBPerDay float64 `json:"gb_per_day"`
}

// expectedWear assumes that no other daemon's commits carry this one's records, so that sums are upper bounds.
func expectedWear(spec order.Spec, l load) wear {
	if spec.Durability.Volatile() {
		return wear{}
	}
	commits := l.Events
	if wait := spec.Durability.Wait(); wait > 0 {
		commits = min(commits, 1/wait.Seconds())
	}
	if l.Outputs > 0 {
		commits += min(l.Outputs, 1.0/settleTime)
	}
	commits = min(commits, fastestDisk)
	records := (l.Events + l.Outputs) * (l.Bytes + recordBytes) * recordCopies
	perSecond := commits*commitBytes + records + snapshotsASecond(spec.Snapshot, l.Events)*2*l.State
	return wear{Commits: commits, GBPerDay: perSecond * (24 * time.Hour).Seconds() / 1e9}
}

func snapshotsASecond(policy order.Snapshot, events float64) float64 {
	rate := 0.0
	switch {
	case policy.EveryStep:
		return events
	case events == 0:
		return 0
	}
	if policy.Events > 0 {
		rate = events / float64(policy.Events)
	}
	if policy.Every > 0 {
		rate = max(rate, 1/time.Duration(policy.Every).Seconds())
	}
	return rate
}

// expectedLoad takes what a spec says itself - its timers - and the assumed rate for each other input.
func expectedLoad(spec order.Spec, rate, bytes, state float64) load {
	l := load{Bytes: bytes, State: state}
	for _, in := range spec.Inputs {
		if in.Every != 0 {
			l.Events += 1 / time.Duration(in.Every).Seconds()
		} else {
			l.Events += rate
		}
	}
	for _, out := range spec.Outputs {
		if out.QoS == order.AtLeastOnce && out.To != order.ToLocal {
			l.Outputs += l.Events
		}
	}
	return l
}
