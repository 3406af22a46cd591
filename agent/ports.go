package agent

import (
	"context"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
)

// Store keeps what must outlive the process. Writes are durable when they return; reads may come from any goroutine.
type Store interface {
	dispatch.Journal
	// Last is the highest position ever written.
	Last() (mesh.Position, error)
	// Load returns the newest good snapshot of a daemon, Head its chain on disk, both false when there is none.
	Load(id mesh.DaemonID) (mesh.Snapshot, bool, error)
	Head(id mesh.DaemonID) (mesh.Head, bool, error)
	// Replay gives the steps behind a position, Givens the inputs written and not processed.
	Replay(id mesh.DaemonID, after mesh.Position, give func(mesh.Step) error) error
	Givens(id mesh.DaemonID) ([]mesh.Given, error)
	// Forget drops all that is kept of a daemon but its outputs on their way to the broker.
	Forget(id mesh.DaemonID) error
	// Reopen reads the file again after a failed commit, so that what it holds is known.
	Reopen(ctx context.Context) error

	// Put, Get, Delete and Each keep small documents by bucket and key.
	Put(bucket, key string, value []byte) error
	Get(bucket, key string) (value []byte, ok bool, err error)
	Delete(bucket, key string) error
	// Increment raises a counter above what it was, and above a floor; it is durable when it returns.
	Increment(bucket, key string, above uint64) (uint64, error)
	Each(bucket string, give func(key string, value []byte) error) error

	// Oldest lists the daemons whose snapshots would let the journal shrink, when it needs to.
	Oldest() []mesh.DaemonID
	// Waiting counts a daemon's outputs that wait for the broker.
	Waiting(id mesh.DaemonID) int
	// Outbox sums up all that wait.
	Outbox() OutboxState
	// Gaps lists outputs that were given up and not yet published as such; GapDone forgets one that was.
	Gaps() ([]Gap, error)
	GapDone(Gap) error
	// Poison lists the events that were set aside; DeletePoison takes one off the list.
	Poison() ([]Poison, error)
	DeletePoison(mesh.Position) error
}

// OutboxState sums up what waits for the broker.
type OutboxState struct {
	Rows  uint64 `json:"rows"`
	Bytes uint64 `json:"bytes"`
	AgeMS uint64 `json:"age_ms"` // of the oldest row
}

// Gap names outputs of a daemon that were given up before they were sent, both sequences included.
type Gap struct {
	Daemon      mesh.DaemonID
	Epoch       uint64
	Incarnation uint32
	From, To    uint64
	Reason      string
}

// Subscription asks the broker for a topic filter.
type Subscription struct {
	Filter string
	QoS    byte
}

// Bus is the connection to the broker. None of its methods blocks, and all work without a connection.
type Bus interface {
	// Subscribe replaces what one owner wants to hear.
	Subscribe(owner string, subs ...Subscription)
	// Publish hands over a control document; of a retained topic the latest counts.
	Publish(topic string, qos byte, retained bool, payload []byte) error
	// Send publishes an output at QoS 0; false means that it was dropped.
	Send(p *dispatch.Publication) bool
	Connected() bool
	// Hold drops the connection until Release, so that the broker then sends again what was not acknowledged.
	Hold()
	Release()
}
