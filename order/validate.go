package order

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Limits of a spec.
const (
	MaxInputs  = 64
	MaxOutputs = 16

	minEvery       = Duration(time.Millisecond)
	maxInboxEvents = 1 << 20
	maxInboxBytes  = 64 << 20
)

// ParseSpec reads a spec that stands alone, as in a configuration file. The error is Mistakes.
func ParseSpec(data []byte) (Spec, error) {
	var spec Spec
	var mistakes Mistakes
	if t := parseTree(data, &mistakes); t != nil {
		decode(t, "", reflect.ValueOf(&spec).Elem(), &mistakes)
		var later Mistakes
		spec.check("", &later)
		mistakes.addUnrelated(later)
	}
	return spec, mistakes.err()
}

// Validate says all that is wrong with the spec; the error is Mistakes.
func (s Spec) Validate() error {
	var mistakes Mistakes
	s.check("", &mistakes)
	return mistakes.err()
}

func (s Spec) check(path string, m *Mistakes) {
	if _, err := mesh.ParseDaemonID(s.Kind); err != nil {
		m.add(field(path, "kind"), "is "+brief(s.Kind), "want the name of a kind, as edge-agent kinds lists them")
	}
	if config := strings.TrimSpace(string(s.Config)); config != "" && !strings.HasPrefix(config, "{") {
		m.add(field(path, "config"), "is not an object", "want {…} with the settings of the kind")
	} else if config != "" && !json.Valid(s.Config) {
		m.add(field(path, "config"), "is not JSON", "want {…} with the settings of the kind")
	}
	s.checkPolicies(path, m)
	checkLength(field(path, "inputs"), len(s.Inputs), MaxInputs, m)
	checkLength(field(path, "outputs"), len(s.Outputs), MaxOutputs, m)
	if len(s.Inputs) > MaxInputs || len(s.Outputs) > MaxOutputs {
		return // to look at each beside each other would take long
	}
	seen := map[string]int{}
	for i, in := range s.Inputs {
		at := element(field(path, "inputs"), i)
		in.check(at, m)
		if first, twice := seen[in.String()]; twice && in.String() != "" {
			m.add(at, "repeats "+in.String(), fmt.Sprintf("keep one of it and inputs[%d]", first))
		}
		seen[in.String()] = i
	}
	ways := map[string]int{}
	for i, out := range s.Outputs {
		at := element(field(path, "outputs"), i)
		out.check(at, m)
		s.checkLoop(at, out, m)
		way := or(out.Type, DefaultOutputType) + " " + out.Topic
		if first, twice := ways[way]; twice {
			m.add(at, "repeats a type and topic", fmt.Sprintf("keep one of it and outputs[%d]", first))
		}
		ways[way] = i
	}
}

func checkLength(path string, length, limit int, m *Mistakes) {
	if length > limit {
		m.add(path, fmt.Sprintf("has %d entries", length), fmt.Sprintf("want at most %d", limit))
	}
}

func (s Spec) checkLoop(path string, out Output, m *Mistakes) {
	for _, in := range s.Inputs {
		if in.Topic != "" && out.Topic != "" && Matches(in.Topic, out.Topic) {
			m.add(field(path, "topic"), "is let in by the input "+in.Topic, "want a topic that the daemon does not read")
			return
		}
	}
}

func (s Spec) checkPolicies(path string, m *Mistakes) {
	snapshot := field(path, "snapshot")
	if s.Snapshot.EveryStep && (s.Snapshot.Events != 0 || s.Snapshot.Every != 0) {
		m.add(snapshot, "has every_step beside events or every", "want one or the other")
	}
	inbox := field(path, "inbox")
	if s.Inbox.MaxEvents > maxInboxEvents {
		m.add(field(inbox, "max_events"), fmt.Sprintf("is %d", s.Inbox.MaxEvents),
			fmt.Sprintf("want at most %d", maxInboxEvents))
	}
	if s.Inbox.MaxBytes > maxInboxBytes {
		m.add(field(inbox, "max_bytes"), fmt.Sprintf("is %d", s.Inbox.MaxBytes),
			fmt.Sprintf("want at most %d", maxInboxBytes))
	}
}

func (in Input) check(path string, m *Mistakes) {
	bindings := 0
	for _, given := range []bool{in.Topic != "", in.Daemon != "", in.Every != 0, in.Source.Machine} {
		if given {
			bindings++
		}
	}
	if bindings != 1 {
		m.add(path, fmt.Sprintf("has %d bindings", bindings), "want one of topic, daemon, every and source: machine")
		return
	}
	if in.Topic == "" {
		in.checkPlain(path, m)
		return
	}
	if err := CheckFilter(in.Topic); err != nil {
		m.add(field(path, "topic"), "is wrong", err.Error())
	}
	raw := in.Format == Raw || in.Format == ""
	switch {
	case !raw && !in.ID.IsZero():
		m.add(field(path, "id"), "stands beside format "+string(in.Format), "leave it out: the format has an id")
	case !raw && !in.Source.IsZero():
		m.add(field(path, "source"), "stands beside format "+string(in.Format), "leave it out: the format has a source")
	case raw && in.ID.IsZero() && !in.Source.IsZero():
		m.add(field(path, "source"), "stands without id", `want "id":{"json":"/field"} beside it, or neither`)
	}
	if raw && in.ID.IsZero() && in.Reorder != 0 {
		m.add(field(path, "reorder"), "stands without id", "want a numbered id, because order comes from its numbers")
	}
	if in.Handover != "" && !(raw && in.ID.IsZero()) {
		m.add(field(path, "handover"), "stands beside an id", "leave it out: nothing is repeated or missed")
	}
}

// checkPlain refuses what only a topic can have.
func (in Input) checkPlain(path string, m *Mistakes) {
	if in.Daemon != "" {
		checkDaemon(field(path, "daemon"), in.Daemon, m)
	}
	if in.Every != 0 && in.Every < minEvery {
		m.add(field(path, "every"), "is "+in.Every.String(), "want at least "+minEvery.String())
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"format", in.Format != ""}, {"id", !in.ID.IsZero()}, {"qos", in.QoS != QoSOpen},
		{"source", !in.Source.IsZero() && !in.Source.Machine},
		{"retained", in.Retained != ""}, {"reorder", in.Reorder != 0}, {"handover", in.Handover != ""},
	} {
		if f.given {
			m.add(field(path, f.name), "stands beside "+in.String(), "leave it out: it says how to read a topic")
		}
	}
}

func (out Output) check(path string, m *Mistakes) {
	if out.Type != "" {
		if _, err := mesh.ParseDaemonID(out.Type); err != nil {
			m.add(field(path, "type"), "is "+brief(out.Type), "want 1 to 64 of a-z, 0-9, _ and -, such as out")
		}
	}
	if out.Topic != "" {
		if err := CheckTopic(out.Topic); err != nil {
			m.add(field(path, "topic"), "is wrong", err.Error())
		}
	}
	if out.To != ToLocal {
		return
	}
	for _, f := range []struct {
		name  string
		given bool
	}{{"topic", out.Topic != ""}, {"qos", out.QoS != QoSOpen}, {"format", out.Format != ""}, {"retained", out.Retained}} {
		if f.given {
			m.add(field(path, f.name), "stands beside to: local", "leave it out: the output never reaches the broker")
		}
	}
}
