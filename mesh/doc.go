// Package mesh is the contract between a daemon and the node that runs it: events, outputs, causal links,
// snapshots, health, control and errors.
//
// It promises that a daemon's methods never overlap, that every output is linked to the one before it, and that
// bytes written by one version of the agent are read or clearly refused by another. It starts no goroutine and does
// no input or output: running daemons is left to agent/dispatch, keeping them to persist, carrying their events to
// mqtt.
package mesh
