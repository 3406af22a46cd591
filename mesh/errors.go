package mesh

import "errors"

// The kinds of failure a caller can tell apart with errors.Is.
var (
	ErrProcess    = errors.New("process failed")
	ErrSnapshot   = errors.New("snapshot failed")
	ErrRestore    = errors.New("restore failed")
	ErrNotFound   = errors.New("not found")
	ErrStale      = errors.New("stale")
	ErrRunning    = errors.New("already running")
	ErrWrongPhase = errors.New("wrong phase")
	ErrTooLarge   = errors.New("too large")
)

// Error is a failure of one daemon: errors.Is finds its kind, Unwrap its cause.
type Error struct {
	Daemon DaemonID
	Kind   error // one of the kinds above
	Cause  error
}

func (e *Error) Error() string {
	text := "daemon " + string(e.Daemon) + ": " + e.Kind.Error()
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
