// Package threshold raises an alarm when a measurement leaves its range and clears it when it is well back, apart by
// key.
//
// It emits {"alarm":"raised","side":"above","key":"press-1","value":86.5,"limit":80}, and the same with "cleared". A
// value must stay beyond the limit for the hold time before the alarm is raised, and well within it for the release
// time before it is cleared, in event time; a tick lets both pass without a new value.
package threshold

import (
	"math"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

const (
	schema       = 1
	stateVersion = 1
	maxKeys      = 1024
	maxWait      = 7 * 24 * time.Hour
)

var settings = [...]mesh.Setting{
	{Name: "above", Type: mesh.TypeNumber, Help: "raise when the value is above this; above, below or both"},
	{Name: "below", Type: mesh.TypeNumber, Help: "raise when the value is below this"},
	{Name: "hysteresis", Type: mesh.TypeNumber, Default: "0", Help: "clear only when the value is back by this much"},
	{Name: "hold", Type: mesh.TypeDuration, Default: "0s", Help: "raise only when the value stays beyond for so long"},
	{Name: "release", Type: mesh.TypeDuration, Default: "0s", Help: "clear only when the value stays back for so long"},
	{Name: "value", Type: mesh.TypeText, Default: "/value", Help: "where the number stands in a JSON payload; " +
		"a payload that is a number needs none"},
	{Name: "key", Type: mesh.TypeText, Help: `where the key stands in a JSON payload, such as "/key"; ` +
		`without it the event's source is the key`},
	{Name: "keys", Type: mesh.TypeCount, Default: "256", Help: "how many keys are kept at most; up to 1024"},
}

// Kind describes the threshold.
func Kind() mesh.Kind {
	return mesh.Kind{
		Name: "threshold", Version: "1", Summary: "raises an alarm when a measurement leaves its range",
		Schema: schema, Stateful: true, Config: settings[:], New: build,
	}
}

type threshold struct {
	above, below  float64 // infinite when not given
	hysteresis    float64
	hold, release time.Duration
	measure       mesh.Measure
	alarms        *mesh.Keyed[alarm]
	buf           []byte
}

// side is where a value is: within the limits, or beyond one of them.
type side byte

const (
	within side = iota
	above
	below
)

// alarm is what is known of one key.
type alarm struct {
	side    side // the alarm that is raised
	next    side // where the value has been since the event time below, not yet for long enough
	since   int64
	value   float64 // the last one
	started bool    // there was one
}

func build(config []byte, _ mesh.Env) (mesh.Daemon, error) {
	s := mesh.ReadSettings(config, settings[:])
	t := &threshold{
		above: math.Inf(1), below: math.Inf(-1),
		hysteresis: s.Number("hysteresis"),
		hold:       s.Duration("hold", 0, maxWait),
		release:    s.Duration("release", 0, maxWait),
		measure:    mesh.Measure{Value: s.Pointer("value"), Key: s.Pointer("key")},
		alarms:     mesh.NewKeyed[alarm](int(s.Count("keys", 1, maxKeys))),
	}
	if s.Given("above") {
		t.above = s.Number("above")
	}
	if s.Given("below") {
		t.below = s.Number("below")
	}
	switch {
	case !s.Given("above") && !s.Given("below"):
		s.Refuse("above", "is missing: give above, below or both")
	case t.below >= t.above:
		s.Refuse("below", "must be less than above")
	case t.hysteresis < 0:
		s.Refuse("hysteresis", "must not be negative")
	case t.hysteresis >= t.above-t.below:
		s.Refuse("hysteresis", "must be less than the range between below and above")
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *threshold) Name() string                    { return "threshold" }
func (t *threshold) Requirements() capability.Filter { return capability.Filter{} }

func (t *threshold) Process(ev *mesh.Event, out *mesh.Outputs) error {
	switch ev.Trigger {
	case mesh.Tick:
		for key, a := range t.alarms.All() {
			t.step([]byte(key), a, ev.Time, out)
		}
		return nil
	case mesh.Result:
		return nil
	}
	key, value, err := t.measure.Read(ev)
	if err != nil {
		return err
	}
	a, err := t.alarms.At(key)
	if err != nil {
		return err
	}
	a.value, a.started = value, true
	t.step(key, a, ev.Time, out)
	return nil
}

// step moves the alarm on: from one side to the other it is cleared first, then raised.
func (t *threshold) step(key []byte, a *alarm, now int64, out *mesh.Outputs) {
	for a.started {
		next := t.place(a)
		if next == a.side {
			a.next, a.since = next, 0
			return
		}
		if next != a.next {
			a.next, a.since = next, now
		}
		wait := t.hold
		if next == within {
			wait = t.release
		}
		if now-a.since < int64(wait) {
			return
		}
		if next == within {
			t.emit("cleared", a.side, key, a.value, out)
		} else {
			t.emit("raised", next, key, a.value, out)
		}
		a.side, a.next, a.since = next, next, 0
	}
}

// place is the side that the last value speaks for.
func (t *threshold) place(a *alarm) side {
	v := a.value
	switch {
	case a.side == above && v > t.above-t.hysteresis:
		return above
	case a.side == below && v < t.below+t.hysteresis:
		return below
	case a.side != within:
		return within
	case v > t.above:
		return above
	case v < t.below:
		return below
	}
	return within
}

func (t *threshold) emit(what string, side side, key []byte, value float64, out *mesh.Outputs) {
	name, limit := "above", t.above
	if side == below {
		name, limit = "below", t.below
	}
	b := mesh.AppendJSONText(append(t.buf[:0], `{"alarm":`...), what)
	b = mesh.AppendJSONText(append(b, `,"side":`...), name)
	b = mesh.AppendJSONText(append(b, `,"key":`...), key)
	b = mesh.AppendJSONNumber(append(b, `,"value":`...), value)
	b = mesh.AppendJSONNumber(append(b, `,"limit":`...), limit)
	t.buf = append(b, '}')
	out.Emit(t.buf)
}

func (t *threshold) Snapshot() ([]byte, error) {
	return t.alarms.Append([]byte{stateVersion}, func(b []byte, a *alarm) []byte {
		b = append(b, byte(a.side), byte(a.next))
		b = mesh.AppendFlags(mesh.AppendInt(b, a.since), a.started)
		return mesh.AppendWord(b, math.Float64bits(a.value))
	}), nil
}

func (t *threshold) Restore(state []byte) error {
	t.alarms.Reset()
	d := mesh.Decode(state, stateVersion)
	t.alarms.Decode(&d, 12, func(d *mesh.Decoder, a *alarm) {
		a.side, a.next = side(d.Choice(byte(below), "side")), side(d.Choice(byte(below), "side"))
		a.since = d.Int()
		d.Flags(&a.started)
		if a.value = math.Float64frombits(d.Word()); math.IsNaN(a.value) || math.IsInf(a.value, 0) {
			d.Fail("value %v is no number", a.value)
		}
	})
	return d.End("threshold state")
}

func (t *threshold) Health() mesh.Health { return t.alarms.Health() }

func (t *threshold) Saturation() float32 { return t.alarms.Saturation() }
