// Package probe finds out what a machine is: it reads sysfs, procfs and a few well-known files and answers with tags,
// each with the evidence it rests on.
//
// Run asks every subject once, beside each other, each under its own deadline. A subject that hangs, panics or reads
// garbage costs its own answer and nothing else: it "could not tell", and Memory then keeps what was last known, with
// its age, until a complete answer says otherwise. Watch does the same for as long as it is let, and tells of changes;
// Readings reads what changes all the time. Nothing is executed but the tools listed in tools.go and the operator's own
// command, no device with side effects is opened, and every read is bounded.
//
// What the tags mean to a daemon is left to capability, and telling the fleet about them to whoever calls.
package probe
