// Package agent is the node: it turns assignments into running daemons, watches over them and says what became of them.
//
// It promises that an order is on disk before it is obeyed, that a lower epoch is never obeyed, that a daemon's
// failure touches no other, and that a report says only what is committed. Everything it decides is decided on one
// goroutine, the keeper's; starting a daemon, which runs its code, happens beside it.
//
// What it leaves to others: running events (agent/dispatch), keeping bytes (a Store, in practice persist) and speaking
// to the broker (a Bus, in practice mqtt). It imports neither of the latter: cmd/edge-agent hands them in.
package agent
