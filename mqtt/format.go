package mqtt

import "github.com/edge-agent/edge-agent/mesh"

// Decode fills an event's identity and payload from a message; the payload may share the message's memory.
type Decode func(topic string, payload []byte, ev *mesh.Event) error

// Reading says how to understand the payloads of one binding.
type Reading struct {
	Format mesh.Format
	// ID is a JSON pointer to the identity of a raw payload, Source one to who sent it. Both empty: no identity. Without
	// Source the topic is the source.
	ID, Source string
}

// Decoder returns the function for a reading, or why there is none.
func Decoder(r Reading) (Decode, error) { return nil, nil }
