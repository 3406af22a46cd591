package order

import (
	"encoding/json"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// Spec says what a daemon is: its code, what goes in and out, where it can run and how much of it survives.
type Spec struct {
	Kind       string            `json:"kind"`
	Config     json.RawMessage   `json:"config"` // an object, {} when empty
	Inputs     []Input           `json:"inputs"`
	Outputs    []Output          `json:"outputs,omitzero"`
	Requires   capability.Filter `json:"requires,omitzero"`
	Durability Durability        `json:"durability,omitzero"` // sync if stateful or an output has QoS 1, else volatile
	Snapshot   Snapshot          `json:"snapshot,omitzero"`
	Inbox      Inbox             `json:"inbox,omitzero"`
	OnPoison   OnPoison          `json:"on_poison,omitzero"` // aside
	Failover   Failover          `json:"failover,omitzero"`  // none
	Unknown
}

// Input is a binding: exactly one of Topic, Daemon, Every and Source: Machine.
type Input struct {
	Topic  string        `json:"topic,omitzero"` // an MQTT filter
	Daemon mesh.DaemonID `json:"daemon,omitzero"`
	Every  Duration      `json:"every,omitzero"`

	Format   Format        `json:"format,omitzero"`   // raw
	ID       Pick          `json:"id,omitzero"`       // of a raw payload
	Source   Source        `json:"source,omitzero"`   // of a raw payload with an id: its topic
	QoS      QoS           `json:"qos,omitzero"`      // 1
	Retained RetainedInput `json:"retained,omitzero"` // once
	Reorder  Reorder       `json:"reorder,omitzero"`
	Handover Handover      `json:"handover,omitzero"` // overlap
	Unknown
}

// Output is one way for what the daemon emits; each payload goes every way.
type Output struct {
	Type     string      `json:"type,omitzero"`   // out
	Topic    string      `json:"topic,omitzero"`  // o/{daemon}/{type} under the fleet's root
	QoS      QoS         `json:"qos,omitzero"`    // 1 if stateful, else 0
	Format   Format      `json:"format,omitzero"` // causal
	Retained bool        `json:"retained,omitzero"`
	To       Destination `json:"to,omitzero"` // both
	Unknown
}

// Pick takes a value out of a JSON payload; the zero Pick takes none.
type Pick struct {
	JSON Pointer `json:"json"`
	Unknown
}

// IsZero reports whether nothing is picked.
func (p Pick) IsZero() bool { return p.JSON == "" }

// Source says who sent an input: its topic, or a field of its payload. Machine stands for this machine's readings, and
// is a binding of its own.
type Source struct {
	JSON    Pointer
	Topic   bool
	Machine bool
}

// IsZero reports whether the source is left to a default.
func (s Source) IsZero() bool { return s == Source{} }

func (s Source) encode(b []byte) []byte {
	switch {
	case s.Machine:
		return appendText(b, "machine")
	case s.Topic:
		return appendText(b, "topic")
	}
	b = appendText(append(b, `{"json":`...), string(s.JSON))
	return append(b, '}')
}

// MarshalJSON gives "machine", "topic" or {"json": POINTER}.
func (s Source) MarshalJSON() ([]byte, error) { return s.encode(nil), nil }

func (s *Source) decode(t *tree, path string, mistakes *Mistakes) {
	one := func(name string) bool {
		return t.kind == text && t.text == name || t.kind == object && len(t.names) == 1 && t.names[0] == name
	}
	switch {
	case t.kind == text && one("machine"):
		s.Machine = true
	case one("topic") && (t.kind == text || t.parts[0].kind == null || t.parts[0].kind == truth):
		s.Topic = true
	case t.kind == object && one("json"):
		s.JSON.decode(t.parts[0], field(path, "json"), mistakes)
	default:
		mistakes.add(path, "is "+t.describe(), `want "machine", "topic" or {"json":"/field"}`)
	}
}

// Snapshot says when a daemon's state is kept: after so many events, after a time, or at every step.
type Snapshot struct {
	Events    uint32   `json:"events,omitzero"` // 1000
	Every     Duration `json:"every,omitzero"`  // 60s
	EveryStep bool     `json:"every_step,omitzero"`
	Unknown
}

const everyStep = "every_step"

func (s *Snapshot) decode(t *tree, path string, mistakes *Mistakes) {
	if t.kind == text && t.text == everyStep {
		s.EveryStep = true
		return
	}
	if t.kind != object {
		mistakes.add(path, "is "+t.describe(), `want {"events":1000,"every":"60s"} or "every_step"`)
		return
	}
	type plain Snapshot
	decodeInto(t, path, (*plain)(s), mistakes)
}

// Inbox bounds the inputs that wait for a daemon.
type Inbox struct {
	MaxEvents uint32 `json:"max_events,omitzero"` // 4096
	MaxBytes  uint32 `json:"max_bytes,omitzero"`  // 4 MiB
	OnFull    OnFull `json:"on_full,omitzero"`    // by QoS: 0 drops the oldest, 1 spills
	Unknown
}

// Defaults of a spec.
const (
	DefaultSnapshotEvents = 1000
	DefaultSnapshotEvery  = Duration(time.Minute)
	DefaultInboxEvents    = 4096
	DefaultInboxBytes     = 4 << 20
	DefaultOutputType     = "out"
)

// Filled puts every default in its place. Stateful is that of the kind.
func (s Spec) Filled(daemon mesh.DaemonID, stateful bool) Spec {
	inputs := make([]Input, len(s.Inputs))
	for i, in := range s.Inputs {
		inputs[i] = in.filled()
	}
	outputs := make([]Output, len(s.Outputs))
	durable := stateful
	for i, out := range s.Outputs {
		outputs[i] = out.filled(daemon, stateful)
		durable = durable || outputs[i].QoS == AtLeastOnce
	}
	s.Inputs, s.Outputs = inputs, outputs
	if len(s.Config) == 0 {
		s.Config = json.RawMessage("{}")
	}
	if s.Durability.IsZero() {
		s.Durability = Volatile
		if durable {
			s.Durability = Sync
		}
	}
	if !s.Snapshot.EveryStep && s.Snapshot.Events == 0 && s.Snapshot.Every == 0 {
		s.Snapshot.Events, s.Snapshot.Every = DefaultSnapshotEvents, DefaultSnapshotEvery
	}
	s.Inbox.MaxEvents = or(s.Inbox.MaxEvents, DefaultInboxEvents)
	s.Inbox.MaxBytes = or(s.Inbox.MaxBytes, DefaultInboxBytes)
	s.OnPoison = or(s.OnPoison, PoisonAside)
	s.Failover = or(s.Failover, FailoverNone)
	return s
}

func (in Input) filled() Input {
	if in.Topic == "" {
		return in
	}
	in.Format = or(in.Format, Raw)
	in.QoS = or(in.QoS, AtLeastOnce)
	in.Retained = or(in.Retained, RetainedOnce)
	if !in.ID.IsZero() && in.Source.IsZero() {
		in.Source.Topic = true
	}
	if in.Format == Raw && in.ID.IsZero() {
		in.Handover = or(in.Handover, HandoverOverlap)
	}
	return in
}

func (out Output) filled(daemon mesh.DaemonID, stateful bool) Output {
	out.Type = or(out.Type, DefaultOutputType)
	if out.To == ToLocal {
		return out
	}
	out.Topic = or(out.Topic, "o/"+string(daemon)+"/"+out.Type)
	out.Format = or(out.Format, Causal)
	out.To = or(out.To, ToBoth)
	if out.QoS == QoSOpen {
		out.QoS = AtMostOnce
		if stateful {
			out.QoS = AtLeastOnce
		}
	}
	return out
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
