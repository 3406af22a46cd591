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

// Check refuses the snapshot of another kind or schema.
func (s *Snapshot) Check(kind string, schema uint32) error {
	if s.Kind == kind && s.Schema == schema {
		return nil
	}
	return &Error{Daemon: s.Daemon, Kind: ErrRestore, Cause: &ForeignState{
		Kind: s.Kind, Schema: s.Schema, WantKind: kind, WantSchema: schema,
	}}
}
