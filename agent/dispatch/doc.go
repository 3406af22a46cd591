// Package dispatch carries each input of a node to the daemons bound to it, and what they emit to the next, in
// microseconds and on one goroutine.
//
// What it promises. A daemon's methods never overlap, and its events are processed in the order they were accepted. A
// producer never blocks: its lane takes the input or says that it is full. What a durable daemon did with an event
// goes to the Journal as one step; its outputs reach the broker and volatile daemons, and its input is acknowledged,
// only once the step is on disk. A panic, an endless Process or a flood of one daemon is counted, reported and kept
// from the others. Every queue is bounded, says what it does when full, and counts it.
//
// What it leaves to others: keeping steps (persist), speaking to the broker (mqtt), and deciding what runs, when a
// crashed daemon comes back and what is told to whom (agent).
package dispatch
