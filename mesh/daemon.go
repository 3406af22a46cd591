package mesh

import (
	"context"
	"log/slog"

	"github.com/edge-agent/edge-agent/capability"
)

// Daemon is an event processor. Its methods are called one at a time, never beside each other.
type Daemon interface {
	// Name is what people read in logs and reports.
	Name() string
	// Requirements says which nodes can run the daemon; the zero filter says any.
	Requirements() capability.Filter
	// Process handles one event within microseconds and emits any number of payloads. Time comes from ev.Time alone, so
	// that replaying the same events gives the same state. An error drops the outputs of this step and consumes the
	// event.
	Process(ev *Event, out *Outputs) error
}

// Stateful is a daemon whose state outlives it. Restore is called before the first Process, or not at all.
type Stateful interface {
	Snapshot() ([]byte, error)
	Restore(state []byte) error
}

// Placed is a daemon with a say in where it runs: required capabilities veto a node, optional ones raise its score.
type Placed interface {
	RequiredCapabilities() capability.Set
	OptionalCapabilities() capability.Set
}

// HealthReporter is asked for its health on each tick of the supervisor; a daemon without it is healthy.
type HealthReporter interface{ Health() Health }

// SaturationReporter says how loaded the daemon is, from 0 (idle) to 1 (full).
type SaturationReporter interface{ Saturation() float32 }

// Controlled is a daemon that hears of shutdown, drain and backpressure, between two events.
type Controlled interface{ OnControl(Control) }

// Worker is a daemon with work too long for Process: out.Defer(task) hands the task to a bounded pool, which calls Work
// beside Process, and the result comes back as an event with the trigger Result. Work must not touch the daemon's
// state. It runs at least once; its result is processed exactly once.
type Worker interface {
	Work(ctx context.Context, task []byte) ([]byte, error)
}

// Env is what a node lends a daemon.
type Env struct {
	ID  DaemonID
	Log *slog.Logger
}

// Factory builds a daemon from its configuration, given as JSON.
type Factory func(config []byte, env Env) (Daemon, error)

// Kind is the code of a daemon as a node offers it.
type Kind struct {
	Name    string
	Version string
	Summary string
	// Schema is the version of the state its snapshots hold; a snapshot of another schema is refused.
	Schema uint32
	// Config describes each setting, in the order a person should read them.
	Config []Setting
	// Requirements holds for every daemon of the kind, beside what its deployment asks for.
	Requirements capability.Filter
	// Stateful says whether daemons of the kind keep state.
	Stateful bool
	New      Factory
}

// Setting is one entry of a kind's configuration.
type Setting struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default,omitempty"`
	Help    string `json:"help"`
}
