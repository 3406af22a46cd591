package mesh

import "fmt"

// Restore gives a daemon the state of its last snapshot, before its first event. Empty state is that of a new daemon
// and accepted by anyone; a daemon that keeps no state refuses any other with a RefusedState.
func Restore(daemon Daemon, id DaemonID, kind string, state []byte) error {
	if len(state) == 0 {
		return nil
	}
	stateful, ok := daemon.(Stateful)
	if !ok {
		return &Error{Daemon: id, Kind: ErrRestore, Cause: &RefusedState{Kind: kind, Size: len(state)}}
	}
	if err := stateful.Restore(state); err != nil {
		return &Error{Daemon: id, Kind: ErrRestore, Cause: err}
	}
	return nil
}

// RefusedState says that a daemon without state was given some.
type RefusedState struct {
	Kind string
	Size int // bytes
}

func (e *RefusedState) Error() string {
	return fmt.Sprintf("kind %s keeps no state, but was given %d bytes of it", e.Kind, e.Size)
}

// ForeignState says that a snapshot was taken by another kind, or by another version of its state.
type ForeignState struct {
	Kind, WantKind     string
	Schema, WantSchema uint32
}

func (e *ForeignState) Error() string {
	return fmt.Sprintf("snapshot of kind %s, schema %d: want kind %s, schema %d",
		e.Kind, e.Schema, e.WantKind, e.WantSchema)
}
