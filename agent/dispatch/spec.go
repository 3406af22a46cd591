package dispatch

import (
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Spec is a daemon as the loop runs it.
type Spec struct {
	ID     mesh.DaemonID
	Daemon mesh.Daemon // already restored
	Kind   string
	Schema uint32
	// Ledger is the bookkeeping that belongs to the daemon's state; the loop owns it from Add on.
	Ledger *Ledger
	// Givens are journalled inputs without a step: they run first, oldest first.
	Givens   []mesh.Given
	Bindings []Binding
	// Sends are the ways of an output to the broker.
	Sends []mesh.Send
	// Local is the topic under which daemons of this node see an output; empty keeps outputs from them.
	Local      string
	Durability Durability
	// Window is how long a step may wait for others before it is written, with the durability Window.
	Window   time.Duration
	Snapshot SnapshotPolicy
	Inbox    Inbox
	// Soft is how long one Process may take before it is counted as slow, by default 1 ms.
	Soft time.Duration
	// Strict tries an event that crashes the daemon for ever instead of setting it aside.
	Strict bool
	// Careful writes the first inputs before they are processed, as is right after an unclean stop.
	Careful bool
	Mode    Mode
}

// Durability says when a daemon's steps are on disk.
type Durability uint8

const (
	Sync     Durability = iota // as soon as the disk allows
	Window                     // within Spec.Window
	Volatile                   // never
)

// SnapshotPolicy says when a snapshot rides along with a step. The zero value takes none but on demand and on Remove.
type SnapshotPolicy struct {
	Events    int           // after so many steps
	Every     time.Duration // after so long, if anything happened
	EveryStep bool
}

// Inbox bounds the events that wait for a daemon that cannot take them now. QoS 0 inputs drop the oldest of their kind;
// others are written to the journal as given, and beyond MaxBytes they are acknowledged, counted and reported as a gap.
type Inbox struct {
	MaxEvents int // by default 1,024
	MaxBytes  int // by default 4 MiB
}

// Mode is what the loop does with a daemon's events.
type Mode uint8

const (
	Live      Mode = iota // process them
	Buffering             // keep them in the inbox
	Frozen                // keep them in the inbox, and hold control back as well
)
