package mesh

import (
	"bytes"
	"fmt"
)

// Measure says where an event's payload holds a number and the name of what was measured. A payload that is itself a
// number needs no pointer.
type Measure struct {
	// Value leads to the number in a JSON payload.
	Value Pointer
	// Key leads to the name in a JSON payload; the empty pointer takes the event's source.
	Key     Pointer
	scratch []byte
}

// Read gives the key and the number of an event; the key is good until the next call.
func (m *Measure) Read(ev *Event) (key []byte, value float64, err error) {
	if value, err = m.number(ev.Payload); err != nil {
		return nil, 0, err
	}
	key, err = m.KeyOf(ev)
	return key, value, err
}

func (m *Measure) number(payload []byte) (float64, error) {
	whole := bytes.TrimSpace(payload)
	if value, ok := JSONNumber(whole); ok {
		return value, nil
	}
	found, ok := m.Value.Find(whole)
	if !ok {
		return 0, fmt.Errorf("no value at %q in a payload of %d bytes", m.Value, len(payload))
	}
	value, ok := JSONNumber(found)
	if !ok {
		return 0, fmt.Errorf("value at %q is no number: %s", m.Value, clip(found))
	}
	return value, nil
}

// KeyOf gives the key of an event; it is good until the next call.
func (m *Measure) KeyOf(ev *Event) ([]byte, error) {
	if m.Key.String() == "" {
		m.scratch = append(m.scratch[:0], SourceOf(ev)...)
		return m.scratch, nil
	}
	found, ok := m.Key.Find(ev.Payload)
	switch {
	case !ok:
		return nil, fmt.Errorf("no key at %q in a payload of %d bytes", m.Key, len(ev.Payload))
	case isNumber(found):
		return found, nil
	}
	if plain, ok := plainText(found); ok {
		return plain, nil
	}
	text, ok := JSONText(found)
	if !ok {
		return nil, fmt.Errorf("key at %q is neither text nor number: %s", m.Key, clip(found))
	}
	m.scratch = append(m.scratch[:0], text...)
	return m.scratch, nil
}

// plainText is the inside of a JSON string that stands for itself.
func plainText(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inside := value[1 : len(value)-1]
	for _, c := range inside {
		if c == '\\' || c < ' ' || c >= 0x80 {
			return nil, false
		}
	}
	return inside, true
}

// SourceOf names where an event comes from: its source, else the daemon or the topic.
func SourceOf(ev *Event) string {
	switch {
	case ev.Source != "":
		return ev.Source
	case ev.Daemon != "":
		return string(ev.Daemon)
	}
	return ev.Topic
}
