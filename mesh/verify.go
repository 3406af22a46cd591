package mesh

import (
	"fmt"
	"slices"
)

// Verifier checks the frames of any number of daemons as an outside reader gets them: repeated, and after a failover
// with events that the new owner did not go on from. It needs no key and no node.
//
// Within an incarnation the sequences of a chain are contiguous, across epochs too, and each link carries the hash of
// the event before it. A new incarnation begins a chain of its own. What Explain was told of may be missing.
type Verifier struct {
	fleet   string
	chains  map[DaemonID]*checkedChain
	order   []*checkedChain
	hasher  linkHasher
	ignored uint64
}

// Limits of a Verifier.
const (
	maxCheckedChains  = 1024
	maxFindings       = 1000 // of one daemon
	rememberedEvents  = 4096 // of one daemon: repeats of older ones are counted unseen
	maxMissingRanges  = 4096 // of one daemon
	maxRememberedGaps = 1024 // of one daemon
)

// ChainReport is what a Verifier found out about one daemon.
type ChainReport struct {
	Daemon      DaemonID `json:"daemon"`
	Origin      string   `json:"origin"`
	Epoch       uint64   `json:"epoch"`       // the highest
	Incarnation uint32   `json:"incarnation"` // the highest of that epoch
	First       uint64   `json:"first"`       // sequences of the last incarnation
	Last        uint64   `json:"last"`
	Events      uint64   `json:"events"`  // different ones
	Repeats     uint64   `json:"repeats"` // frames that had come before
	// FromGenesis says that the last incarnation was seen from its beginning.
	FromGenesis bool      `json:"from_genesis"`
	Findings    []Finding `json:"findings,omitempty"`
	// Omitted counts the findings beyond those listed.
	Omitted uint64 `json:"omitted,omitempty"`
	flaws   bool
}

// Good reports whether the chain keeps its promises.
func (r *ChainReport) Good() bool { return !r.flaws }

// Finding is one remarkable place of a chain.
type Finding struct {
	Kind        FindingKind `json:"kind"`
	Epoch       uint64      `json:"epoch"`
	Incarnation uint32      `json:"incarnation"`
	From        uint64      `json:"from"`
	To          uint64      `json:"to"`
	Detail      string      `json:"detail,omitempty"`
}

// FindingKind is a flaw, or a note on what a sound chain may show.
type FindingKind string

// The flaws, then the notes.
const (
	FlawParent   FindingKind = "wrong parent" // the link does not carry the hash of the event before it
	FlawMissing  FindingKind = "missing"      // sequences that neither came nor were explained
	FlawConflict FindingKind = "conflict"     // two events under one identity
	FlawOrigin   FindingKind = "wrong origin" // the chain of another daemon under this one's id
	FlawFrame    FindingKind = "invalid"      // a frame that no chain can hold
	NoteGap      FindingKind = "gap"          // missing, and explained
	NoteOrphaned FindingKind = "orphaned"     // events the next epoch did not go on from
	NoteRestart  FindingKind = "new chain"    // of a new incarnation
	NoteUnread   FindingKind = "old chain"    // a frame of an incarnation that was over
)

// Flaw reports whether the finding breaks a promise.
func (k FindingKind) Flaw() bool {
	return k == FlawParent || k == FlawMissing || k == FlawConflict || k == FlawOrigin || k == FlawFrame
}

// checkedChain is what is remembered of one daemon.
type checkedChain struct {
	report  ChainReport
	origin  Origin
	started bool
	events  map[uint64]checkedEvent // by sequence, the last rememberedEvents
	recent  queue[uint64]           // their sequences, oldest first
	missing []Run
	epochs  []epochStart
	gaps    []gap
}

// gap are sequences that will never come, and why.
type gap struct {
	Run
	reason string
}

type checkedEvent struct {
	epoch        uint64
	parent, next uint64
}

// epochStart is the first sequence of an epoch.
type epochStart struct{ epoch, first uint64 }

// NewVerifier knows no chain yet. Given a fleet it also checks that each origin is that of its daemon.
func NewVerifier(fleet string) *Verifier {
	return &Verifier{fleet: fleet, chains: make(map[DaemonID]*checkedChain)}
}

// Add takes the next frame.
func (v *Verifier) Add(f *Frame) {
	c := v.chain(f.Daemon)
	if c == nil {
		v.ignored++
		return
	}
	if v.fleet != "" && f.Link.Origin != OriginOf(v.fleet, f.Daemon) {
		c.find(FlawOrigin, f, f.Link.Sequence, f.Link.Sequence, "not in fleet "+v.fleet)
		return
	}
	c.add(f, v.hasher.next(f.Link, f.Payload), v.hasher.next(Link{Origin: f.Link.Origin}, nil))
}

// Explain takes a record of outputs that will never come: the first sequence, the last, and why.
func (v *Verifier) Explain(id DaemonID, from, to uint64, reason string) {
	if from == 0 || to < from {
		return
	}
	if c := v.chain(id); c != nil && len(c.gaps) < maxRememberedGaps {
		c.gaps = append(c.gaps, gap{Run{from, to}, reason})
	}
}

// chain is that of a daemon, nil beyond the limit.
func (v *Verifier) chain(id DaemonID) *checkedChain {
	c := v.chains[id]
	if c == nil && len(v.chains) < maxCheckedChains {
		c = &checkedChain{report: ChainReport{Daemon: id}}
		v.chains[id] = c
		v.order = append(v.order, c)
	}
	return c
}

// Ignored counts the frames of daemons beyond the limit.
func (v *Verifier) Ignored() uint64 { return v.ignored }

// Reports tells what was found, in the order in which the daemons appeared.
func (v *Verifier) Reports() []ChainReport {
	reports := make([]ChainReport, len(v.order))
	for i, c := range v.order {
		final := *c // Reports may be asked for again
		final.report.Findings = slices.Clone(c.report.Findings)
		final.settleMissing()
		reports[i] = final.report
	}
	return reports
}

func (c *checkedChain) add(f *Frame, next, genesis uint64) {
	seq := f.Link.Sequence
	switch {
	case seq == 0:
		c.find(FlawFrame, f, 0, 0, "the genesis is never sent")
		return
	case !c.started:
		c.origin, c.report.Origin = f.Link.Origin, fmt.Sprintf("%016x", uint64(f.Link.Origin))
		c.begin(f, next, genesis)
		return
	case f.Link.Origin != c.origin:
		c.find(FlawOrigin, f, seq, seq, fmt.Sprintf("%016x", uint64(f.Link.Origin)))
		return
	}
	order := compareOwner(f.Epoch, f.Incarnation, c.report.Epoch, c.report.Incarnation)
	durable := f.Incarnation == 0 && c.report.Incarnation == 0
	switch {
	case order > 0 && !durable:
		c.find(NoteRestart, f, seq, seq, "")
		c.settleMissing()
		c.begin(f, next, genesis)
	case order > 0:
		c.enter(f)
		c.place(f, next, genesis)
	case order < 0 && !durable:
		c.report.Repeats++
		c.find(NoteUnread, f, seq, seq, "")
	case order < 0 && seq >= c.successor(f.Epoch):
		c.orphan(f, seq, seq)
	default:
		c.place(f, next, genesis)
	}
}

// begin starts a chain with its first known event.
func (c *checkedChain) begin(f *Frame, next, genesis uint64) {
	seq := f.Link.Sequence
	c.started = true
	c.report.Epoch, c.report.Incarnation = f.Epoch, f.Incarnation
	c.report.First, c.report.Last, c.report.FromGenesis = seq, seq, seq == 1
	c.events, c.recent = make(map[uint64]checkedEvent), queue[uint64]{}
	c.missing, c.epochs = nil, []epochStart{{f.Epoch, seq}}
	if seq == 1 && f.Link.Parent != genesis {
		c.find(FlawParent, f, seq, seq, "not the genesis of this origin")
	}
	c.remember(f, next)
}

// enter begins a higher epoch of a durable chain: what the one before had from here on is orphaned.
func (c *checkedChain) enter(f *Frame) {
	seq := f.Link.Sequence
	if last := c.report.Last; seq <= last {
		orphans := *f
		orphans.Epoch = c.report.Epoch
		c.orphan(&orphans, max(seq, c.report.First), last)
		for s := range c.events {
			if s >= seq {
				delete(c.events, s)
			}
		}
		for i, known := range c.recent.all() {
			if known >= seq {
				c.recent.all()[i] = 0 // no event has it
			}
		}
		c.missing = slices.DeleteFunc(c.missing, func(run Run) bool { return run.First >= seq })
		if n := len(c.missing); n > 0 {
			c.missing[n-1].Last = min(c.missing[n-1].Last, seq-1)
		}
		c.report.Last = seq - 1
		c.report.First = min(c.report.First, seq)
	}
	c.report.Epoch = f.Epoch
	if len(c.epochs) < maxFindings {
		c.epochs = append(c.epochs, epochStart{f.Epoch, seq})
	}
}

// successor is the first sequence of the next known epoch.
func (c *checkedChain) successor(epoch uint64) uint64 {
	for _, start := range c.epochs {
		if start.epoch > epoch {
			return start.first
		}
	}
	return c.report.Last + 1
}

// place puts an event into the chain where it belongs.
func (c *checkedChain) place(f *Frame, next, genesis uint64) {
	seq := f.Link.Sequence
	known, ok := c.events[seq]
	switch {
	case ok:
		if known != (checkedEvent{f.Epoch, f.Link.Parent, next}) {
			c.find(FlawConflict, f, seq, seq, "another event has this identity")
			return
		}
		c.report.Repeats++
		return
	case seq > c.report.Last:
		c.miss(f, c.report.Last+1, seq-1)
		c.report.Last = seq
	case seq < c.report.First:
		c.miss(f, seq+1, c.report.First-1)
		c.report.First, c.report.FromGenesis = seq, seq == 1
	case !c.fill(seq):
		c.report.Repeats++ // of an event too old to be compared
		return
	}
	before, ok := c.events[seq-1]
	if seq == 1 {
		before, ok = checkedEvent{next: genesis}, true
	}
	if ok && f.Link.Parent != before.next {
		c.find(FlawParent, f, seq, seq, fmt.Sprintf("%016x instead of %016x", f.Link.Parent, before.next))
	}
	if after, ok := c.events[seq+1]; ok && after.parent != next {
		c.find(FlawParent, f, seq+1, seq+1, fmt.Sprintf("%016x instead of %016x", after.parent, next))
	}
	c.remember(f, next)
}

func (c *checkedChain) remember(f *Frame, next uint64) {
	c.report.Events++
	c.events[f.Link.Sequence] = checkedEvent{f.Epoch, f.Link.Parent, next}
	c.recent.push(f.Link.Sequence)
	for c.recent.len() > rememberedEvents {
		delete(c.events, c.recent.all()[0])
		c.recent.pop()
	}
}

// miss notes that the sequences have not come yet.
func (c *checkedChain) miss(f *Frame, from, to uint64) {
	if from > to {
		return
	}
	if len(c.missing) >= maxMissingRanges {
		c.find(FlawMissing, f, from, to, "")
		return
	}
	i, _ := slices.BinarySearchFunc(c.missing, from, func(run Run, n uint64) int {
		if run.First < n {
			return -1
		}
		return 1
	})
	c.missing = slices.Insert(c.missing, i, Run{from, to})
}

// fill takes a sequence out of what is missing, and reports whether it was.
func (c *checkedChain) fill(seq uint64) bool {
	for i, run := range c.missing {
		if seq < run.First || seq > run.Last {
			continue
		}
		c.missing = slices.Delete(c.missing, i, i+1)
		if seq < run.Last {
			c.missing = slices.Insert(c.missing, i, Run{seq + 1, run.Last})
		}
		if run.First < seq {
			c.missing = slices.Insert(c.missing, i, Run{run.First, seq - 1})
		}
		return true
	}
	return false
}

// settleMissing turns what is missing into findings: gaps where it is explained, else flaws.
func (c *checkedChain) settleMissing() {
	f := &Frame{Epoch: c.report.Epoch, Incarnation: c.report.Incarnation}
	for _, run := range c.missing {
		for from := run.First; from <= run.Last && from != 0; {
			kind, to, reason := c.explain(from, run.Last)
			c.find(kind, f, from, to, reason)
			from = to + 1
		}
	}
	c.missing = nil
}

// explain says how the sequences from one on are accounted for, and up to where that holds.
func (c *checkedChain) explain(from, last uint64) (kind FindingKind, to uint64, reason string) {
	to = last
	for _, gap := range c.gaps {
		if gap.First <= from && from <= gap.Last {
			return NoteGap, min(last, gap.Last), gap.reason
		}
		if from < gap.First && gap.First <= to {
			to = gap.First - 1
		}
	}
	return FlawMissing, to, ""
}

// orphan notes events that the next epoch did not go on from; those side by side become one finding.
func (c *checkedChain) orphan(f *Frame, from, to uint64) {
	for i := range c.report.Findings {
		seen := &c.report.Findings[i]
		if seen.Kind != NoteOrphaned || seen.Epoch != f.Epoch || seen.Incarnation != f.Incarnation {
			continue
		}
		if seen.From <= from && to <= seen.To {
			c.report.Repeats++
			return
		}
		if from == seen.To+1 {
			seen.To = to
			return
		}
	}
	c.find(NoteOrphaned, f, from, to, "")
}

func (c *checkedChain) find(kind FindingKind, f *Frame, from, to uint64, detail string) {
	c.report.flaws = c.report.flaws || kind.Flaw()
	if len(c.report.Findings) >= maxFindings {
		c.report.Omitted++
		return
	}
	c.report.Findings = append(c.report.Findings, Finding{
		Kind: kind, Epoch: f.Epoch, Incarnation: f.Incarnation, From: from, To: to, Detail: detail,
	})
}
