// Package filter passes, drops or rewrites events by an expression over their payload.
//
// An expression sees value (the JSON payload: a number, a text, an object), topic and source. A payload above 16 KiB
// or not JSON is an error, and so is an expression that does not fit it. Expressions cannot loop within a loop, keep
// variables, read the clock or grow without bound, so that an event costs no more than its size allows and a replay
// gives the same.
package filter

import (
	"encoding/json"
	"fmt"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

const maxPayload = 16 << 10

var settings = [...]mesh.Setting{
	{Name: "pass", Type: mesh.TypeText, Help: `which events pass, such as "value.t > 20 and topic endsWith '/t'"; ` +
		"without it all do"},
	{Name: "map", Type: mesh.TypeText, Help: `what is emitted instead of the payload, such as "value.t * 1.8 + 32"; ` +
		"nil emits nothing"},
}

// Kind describes the filter.
func Kind() mesh.Kind {
	return mesh.Kind{
		Name: "filter", Version: "1", Summary: "passes, drops or rewrites events by an expression",
		Config: settings[:], New: build,
	}
}

type filter struct {
	pass, rewrite *expression // nil when not given
	buf           []byte
}

func build(config []byte, _ mesh.Env) (mesh.Daemon, error) {
	s := mesh.ReadSettings(config, settings[:])
	compile := func(name string) *expression {
		text := s.Text(name)
		if text == "" {
			return nil
		}
		e, err := parse(text)
		if err != nil {
			s.Refuse(name, "%v", err)
		}
		return e
	}
	f := &filter{pass: compile("pass"), rewrite: compile("map")}
	if s.Text("pass") == "" && s.Text("map") == "" {
		s.Refuse("pass", "is missing: give pass, map or both")
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *filter) Name() string                    { return "filter" }
func (f *filter) Requirements() capability.Filter { return capability.Filter{} }

func (f *filter) Process(ev *mesh.Event, out *mesh.Outputs) error {
	if ev.Trigger != mesh.Message && ev.Trigger != mesh.Reading {
		return nil
	}
	if len(ev.Payload) > maxPayload {
		return fmt.Errorf("payload of %d bytes, above %d: %w", len(ev.Payload), maxPayload, mesh.ErrTooLarge)
	}
	in := input{Topic: ev.Topic, Source: mesh.SourceOf(ev)}
	if err := json.Unmarshal(ev.Payload, &in.Value); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if f.pass != nil {
		verdict, err := f.pass.eval(&in)
		if err != nil {
			return fmt.Errorf("pass: %w", err)
		}
		passed, ok := verdict.(bool)
		if !ok {
			return fmt.Errorf("pass: gives %T, not true or false", verdict)
		}
		if !passed {
			return nil
		}
	}
	if f.rewrite == nil {
		out.Emit(ev.Payload)
		return nil
	}
	return f.emit(&in, out)
}

func (f *filter) emit(in *input, out *mesh.Outputs) error {
	value, err := f.rewrite.eval(in)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	if value == nil {
		return nil
	}
	if f.buf, err = appendJSON(f.buf[:0], value); err != nil {
		return fmt.Errorf("map: %w", err)
	}
	out.Emit(f.buf)
	return nil
}
