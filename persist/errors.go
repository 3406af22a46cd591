package persist

import (
	"errors"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// ErrClosed is given to writes that come after the store has stopped.
var ErrClosed = errors.New("store is closed")

// ErrFull is the failure of what would carry the journal or the documents beyond their limits.
var ErrFull = errors.New("store is full")

// ErrDamaged is given to those who want to read a damaged file without repairing it.
var ErrDamaged = errors.New("file is damaged")

// errDamaged marks a record that is not what was written.
var errDamaged = errors.New("record is damaged")

// LockedError says that another process holds the state directory.
type LockedError struct {
	Dir   string
	PID   int       // 0 when the holder did not say
	Since time.Time // start of the holder, zero when it did not say
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("state directory %s is held by another process", e.Dir)
	}
	return fmt.Sprintf("state directory %s is held by process %d since %s", e.Dir, e.PID, e.Since.Format(time.RFC3339))
}

// SchemaError says that the file was written by a newer agent. The file is left as it was.
type SchemaError struct {
	Path       string
	Have, Want uint32
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("%s has schema %d and this agent knows up to %d: run a newer agent, or move the file away",
		e.Path, e.Have, e.Want)
}

// Alarm is something a person must hear of: damage that was found, or data that was given up.
type Alarm struct {
	Time   time.Time
	Kind   AlarmKind
	Daemon mesh.DaemonID // empty when it is not about one daemon
	Text   string
}

// AlarmKind sorts alarms.
type AlarmKind string

const (
	DamagedFile   AlarmKind = "damaged file"   // the whole file was set aside
	DamagedRecord AlarmKind = "damaged record" // one record was set aside
	LostSteps     AlarmKind = "lost steps"     // a daemon's history has a hole
	LostRecords   AlarmKind = "lost records"   // records of another kind are missing
	Refused       AlarmKind = "refused"        // a snapshot or poison event had no room
)
