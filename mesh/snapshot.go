package mesh

// Snapshot is a daemon's state between two events, with all it takes to go on: chain head, dedup windows, horizon.
type Snapshot struct {
	Daemon DaemonID
	Kind   string
	Schema uint32
	// Position is that of the last step the state holds; replay begins after it.
	Position Position
	Head     Head
	// Observed are the origins in the horizon, oldest first.
	Observed []Origin
	Windows  []Window
	// Retained remembers the last retained payload seen on a topic, by hash.
	Retained map[string]uint64
	// Time is the daemon's last event time, so that time never goes back.
	Time int64
	// Accepted counts the raw inputs accepted per topic filter: the sequence of their links.
	Accepted map[Origin]uint64
	// Tasks are deferred tasks without a result.
	Tasks []Task
	// Stateful tells an empty state from none.
	Stateful bool
	State    []byte
}

// Window is what a dedup window remembers of one source.
type Window struct {
	Source      string
	Epoch       uint64
	Incarnation uint32
	High        uint64   // highest number seen
	Low         uint64   // numbers at or below are late unless remembered
	Numbers     []uint64 // seen between Low and High, ascending
	Texts       []string // seen texts, oldest first
	Times       []int64  // when each text was seen
}
