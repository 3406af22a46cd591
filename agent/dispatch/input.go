package dispatch

import "github.com/edge-agent/edge-agent/mesh"

// Input is one message on its way to the daemons bound to its topic.
type Input struct {
	Topic string
	// Payload must not change after the input was posted: steps keep it until they are on disk.
	Payload []byte
	// Ack is told once every durable daemon has the input on disk, or at once where none wants it. It is called on the
	// loop's goroutine and must not block. Nil means that nobody waits.
	Ack Acker
	// Trigger is Message, or Reading for what a collector of this machine posts.
	Trigger  mesh.Trigger
	QoS      byte
	Retained bool
	Dup      bool
}

// Acker is who waits for an input to be safe. An input that is lost to a failed commit is never acknowledged.
type Acker interface{ Ack() }

// Decode fills the identity and payload of an event from a message. It may keep parts of both.
type Decode func(topic string, payload []byte, ev *mesh.Event) error

// Retained says what a binding does with a retained message, which the broker sends again on each connection.
type Retained uint8

const (
	Once  Retained = iota // unless it equals the last value seen on its topic
	Skip                  // never
	Every                 // always
)

// Binding is one input of a daemon: a topic, another daemon, an interval, or this machine.
type Binding struct {
	// Filter is an MQTT topic filter. With From it is where the producer's outputs arrive when it runs elsewhere.
	Filter string
	// From is the producer whose outputs are taken from memory when it runs on this node.
	From mesh.DaemonID
	// Every is the interval of a timer, in nanoseconds of CLOCK_BOOTTIME.
	Every int64
	// Machine takes the readings that a collector of this machine posts.
	Machine bool
	// Decode is nil for raw payloads without identity.
	Decode   Decode
	Retained Retained
	// Hold is how long a numbered input may wait for those before it, in nanoseconds; 0 takes inputs as they come.
	Hold int64
}
