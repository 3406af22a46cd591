package mesh

import "time"

// Signal is what a Control asks for.
type Signal uint8

const (
	Shutdown        Signal = iota + 1 // stop within Grace
	DrainStart                        // finish what is begun within Grace; no new work will be sent
	DrainFinish                       // the drain is over
	BackpressureOn                    // slow down by Level, from 0 to 1
	BackpressureOff                   // go on at full speed
)

func (s Signal) String() string {
	switch s {
	case Shutdown:
		return "shutdown"
	case DrainStart:
		return "drain-start"
	case DrainFinish:
		return "drain-finish"
	case BackpressureOn:
		return "backpressure-on"
	case BackpressureOff:
		return "backpressure-off"
	}
	return "unknown"
}

// Control is a request of the node to a daemon, delivered between two events and never lost.
type Control struct {
	Signal Signal
	Grace  time.Duration
	Level  float32
}
