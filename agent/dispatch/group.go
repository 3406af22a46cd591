package dispatch

import (
	"math"

	"github.com/edge-agent/edge-agent/mesh"
)

// A group is handed over at these bounds, however much more waits.
const (
	maxGroupRecords = 512
	maxGroupBytes   = 1 << 20
)

// group is what goes to disk together, and what happens afterwards. It is the journal's from Commit until Done, but for
// the lists below the embedded ones.
type group struct {
	mesh.Group
	serial uint64
	bytes  int
	due    int64 // boot time at which it is handed over
	outs   []mesh.Out
	tasks  []mesh.Task

	tickets []*ticket
	leaving []departure
	heads   []committedHead
	begun   []begunTask
	chunks  []*chunk
	then    []func(error)
}

// departure is an output that may leave the loop: to the broker without a record, and to volatile daemons.
type departure struct {
	from    *daemon
	self    *identity
	link    mesh.Link
	payload []byte
	chunk   *chunk
	wall    int64
}

type committedHead struct {
	of   *daemon
	head mesh.Head
}

type begunTask struct {
	of   *daemon
	task mesh.Task
}

func (g *group) full() bool {
	return len(g.Steps)+len(g.Givens) >= maxGroupRecords || g.bytes >= maxGroupBytes
}

func (g *group) empty() bool {
	return len(g.Steps)+len(g.Givens)+len(g.Snapshots)+len(g.then)+len(g.tickets) == 0
}

// urgent has the group handed over at the end of the pass.
func (g *group) urgent() { g.due = 0 }

// reset forgets everything and keeps the memory.
func (g *group) reset() {
	clear(g.Steps)
	clear(g.Givens)
	clear(g.Snapshots)
	clear(g.outs)
	clear(g.tasks)
	clear(g.tickets)
	clear(g.leaving)
	clear(g.heads)
	clear(g.begun)
	clear(g.chunks)
	clear(g.then)
	g.Steps, g.Givens, g.Snapshots = g.Steps[:0], g.Givens[:0], g.Snapshots[:0]
	g.outs, g.tasks, g.tickets, g.leaving = g.outs[:0], g.tasks[:0], g.tickets[:0], g.leaving[:0]
	g.heads, g.begun, g.chunks, g.then = g.heads[:0], g.begun[:0], g.chunks[:0], g.then[:0]
	g.bytes, g.due = 0, math.MaxInt64
}

// ticket counts the durable daemons that do not have an input on disk yet.
type ticket struct {
	ack  Acker
	left int
}

// completion is a group that came back from the journal.
type completion struct {
	group *group
	err   error
}
