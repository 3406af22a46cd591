package mesh

import "time"

// Position numbers the records of one node's journal, from 1.
type Position uint64

// Head is where a daemon's chain stands: its newest link and the parent that the next one will carry.
type Head struct {
	Link        Link
	Next        uint64
	Epoch       uint64
	Incarnation uint32
}

// Step is what a daemon did with one event: the only write for it.
type Step struct {
	Position    Position
	Daemon      DaemonID
	Epoch       uint64
	Incarnation uint32
	// Event is the input. Its payload is empty when At names the out record that holds it.
	Event Event
	At    Position
	// Given is the record by which the input was journalled before it was processed, 0 if it was not.
	Given Position
	// Control is set instead of Event when the step delivered a control.
	Control Control
	// Failed marks an event whose Process gave an error; Poison one that was set aside unprocessed.
	Failed bool
	Poison bool
	// Emitted counts the outputs; Outs holds those that must be kept.
	Emitted uint32
	Outs    []Out
	Tasks   []Task
	// Head is the chain after the step.
	Head Head
}

// Out is one output of a durable daemon, at a position of its own. It names its producer, since it is kept and sent
// without its step.
type Out struct {
	Position    Position
	Daemon      DaemonID
	Epoch       uint64
	Incarnation uint32
	Link        Link
	Payload     []byte
	// Sends lists where the output must still go by the broker; it is shared and never changed.
	Sends []Send
}

// Send is one way of an output to the broker.
type Send struct {
	Topic    string
	QoS      byte
	Retained bool
	Format   Format
}

// Format is how a payload stands on the wire.
type Format uint8

const (
	Raw Format = iota
	Causal
	CloudEvents
)

// Task is deferred work, named by the position of the step that began it and its place among the step's tasks.
type Task struct {
	Step  Position
	Index uint16
	Bytes []byte
}

// Given is an input written before it is processed: for a daemon that cannot take it now, or in careful mode, where
// Attempt counts how often the process died over it.
type Given struct {
	Position Position
	Daemon   DaemonID
	Attempt  uint32
	Event    Event
	At       Position
}

// Group is what one pass of a loop wants on disk together, in causal order within each list; positions order them all.
type Group struct {
	Steps     []Step
	Givens    []Given
	Snapshots []Snapshot
	// Window is how long the group may wait for others before it is written; any group without one ends the wait.
	Window time.Duration
	// Done is called once, in the order of groups: with nil when the group is on disk, else with why it may not be.
	Done func(error)
}
