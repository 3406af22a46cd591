package persist

import (
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// books is what the committer knows of the file without reading it. It is built at open and moves with each
// transaction; after a failed one it is worthless and built again.
type books struct {
	daemons map[mesh.DaemonID]*account
	owners  map[uint64]*account
	// named lists the live records that need an output or a given input, by its position.
	named map[mesh.Position][]naming
	// open are the given inputs without a step.
	open  map[mesh.Position]*account
	front mesh.Position // of the oldest record in the journal
	last  mesh.Position // the highest position ever written
	// firstRow is of the oldest row of the outbox, 0 without one, once the first transaction has looked.
	firstRow mesh.Position

	journal, kept, outbox, snapshots int64 // bytes
	documents, poison                int64
	counts                           counts
	oldestRow                        time.Duration // age of the store when the oldest row was written
}

// counts says how many records there are, so that one that vanished with its page is missed.
type counts struct{ rows, documents, heads, snapshots, poison, gaps int }

func (n *counts) fields() []*int {
	return []*int{&n.rows, &n.documents, &n.heads, &n.snapshots, &n.poison, &n.gaps}
}

var countedBuckets = []string{
	outboxBucket, documentsBucket, headsBucket, snapshotsBucket, poisonBucket, gapsBucket,
}

// naming is a live step or given input that needs another record.
type naming struct {
	by *account
	at mesh.Position
}

// account is what the books hold of one daemon.
type account struct {
	id    mesh.DaemonID
	owner uint64
	head  mesh.Head
	last  mesh.Position // of its newest step
	floor mesh.Position // steps at or below it are not needed
	born  mesh.Position // records at or below it are of a daemon of the same name that was forgotten
	// forgotten daemons leave born behind, until the journal has passed it.
	forgotten bool
	dirty     bool
	written   bool   // has a head in the file
	given     uint32 // given inputs without a step
	snapshots []kept // oldest first
	aside     int    // records in the bucket of those that were moved out of the journal
	swept     mesh.Position
	gap       *Gap // the newest unpublished one
	rows      int  // in the outbox
	moved     bool // rows changed in this transaction
}

// kept is a snapshot in the file.
type kept struct {
	serial   uint64
	position mesh.Position
	size     int64
	beside   bool
}

func newBooks() *books {
	return &books{
		daemons: make(map[mesh.DaemonID]*account), owners: make(map[uint64]*account),
		named: make(map[mesh.Position][]naming), open: make(map[mesh.Position]*account),
	}
}

func (b *books) account(id mesh.DaemonID) *account {
	a := b.daemons[id]
	if a == nil {
		a = &account{id: id, owner: ownerOf(id)}
		b.daemons[id], b.owners[a.owner] = a, a
	}
	return a
}

// name notes that a record needs another one; positions of 0 name nothing.
func (b *books) name(target mesh.Position, by *account, at mesh.Position) {
	if target != 0 {
		b.named[target] = append(b.named[target], naming{by, at})
	}
}

// unname takes a naming back and reports whether the target is now needed by nobody.
func (b *books) unname(target, at mesh.Position) bool {
	names := b.named[target]
	for i := range names {
		if names[i].at == at {
			names = append(names[:i], names[i+1:]...)
			break
		}
	}
	if len(names) > 0 {
		b.named[target] = names
		return false
	}
	delete(b.named, target)
	return true
}

// needed reports whether a restart needs the step or given input at a position.
func (b *books) needed(by *account, at mesh.Position) bool {
	if _, open := b.open[at]; open {
		return true
	}
	if names := b.named[at]; len(names) > 0 {
		return b.wanted(names)
	}
	return at > by.floor
}

func (b *books) wanted(names []naming) bool {
	for _, n := range names {
		if b.needed(n.by, n.at) {
			return true
		}
	}
	return false
}

func (b *books) opened(at mesh.Position, by *account) {
	if _, again := b.open[at]; !again {
		b.open[at] = by
		by.given++
	}
}

func (b *books) closed(at mesh.Position) {
	if by, open := b.open[at]; open {
		delete(b.open, at)
		by.given--
	}
}

// oldest names the daemons whose needed steps begin in the older half of the journal.
func (b *books) oldest() []mesh.DaemonID {
	middle := b.front + (b.last-b.front)/2
	var ids []mesh.DaemonID
	for _, a := range b.daemons {
		if a.last > a.floor && a.floor < middle {
			ids = append(ids, a.id)
		}
	}
	return ids
}
