// Package ewma smooths measurements: it keeps their exponential moving average, apart by key.
//
// It emits {"key":"press-1","value":21.4,"count":12} after every so many measurements of a key, and for each key at a
// tick. A restart gives back the very bits of every average.
package ewma

import (
	"math"
	"strconv"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

const (
	schema       = 1
	stateVersion = 1
	maxKeys      = 1024
	defaultAlpha = 0.2
)

var settings = [...]mesh.Setting{
	{Name: "alpha", Type: mesh.TypeNumber, Help: "weight of a new value, above 0 and at most 1; " +
		"0.2 when half_life is not given either"},
	{Name: "half_life", Type: mesh.TypeDuration, Help: "instead of alpha: after this time an old value weighs half"},
	{Name: "every", Type: mesh.TypeCount, Default: "1", Help: "emit after each so many values of a key"},
	{Name: "value", Type: mesh.TypeText, Default: "/value", Help: "where the number stands in a JSON payload; " +
		"a payload that is a number needs none"},
	{Name: "key", Type: mesh.TypeText, Help: `where the key stands in a JSON payload, such as "/sensor"; ` +
		`without it the event's source is the key`},
	{Name: "keys", Type: mesh.TypeCount, Default: "256", Help: "how many keys are kept at most; up to 1024"},
}

// Kind describes the moving average.
func Kind() mesh.Kind {
	return mesh.Kind{
		Name: "ewma", Version: "1", Summary: "smooths measurements by an exponential moving average",
		Schema: schema, Stateful: true, Config: settings[:], New: build,
	}
}

type ewma struct {
	alpha    float64
	halfLife time.Duration // 0: alpha counts
	every    uint64
	measure  mesh.Measure
	averages *mesh.Keyed[average]
	buf      []byte
}

type average struct {
	value float64
	count uint64
	last  int64 // event time
}

func build(config []byte, _ mesh.Env) (mesh.Daemon, error) {
	s := mesh.ReadSettings(config, settings[:])
	e := &ewma{
		alpha:    defaultAlpha,
		every:    s.Count("every", 1, 1<<53),
		measure:  mesh.Measure{Value: s.Pointer("value"), Key: s.Pointer("key")},
		averages: mesh.NewKeyed[average](int(s.Count("keys", 1, maxKeys))),
	}
	if s.Given("alpha") {
		if e.alpha = s.Number("alpha"); !(e.alpha > 0 && e.alpha <= 1) {
			s.Refuse("alpha", "must be above 0 and at most 1")
		}
	}
	if s.Given("half_life") {
		e.halfLife = s.Duration("half_life", time.Millisecond, 365*24*time.Hour)
		if s.Given("alpha") {
			s.Refuse("half_life", "stands instead of alpha: give one of the two")
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *ewma) Name() string                    { return "ewma" }
func (e *ewma) Requirements() capability.Filter { return capability.Filter{} }

func (e *ewma) Process(ev *mesh.Event, out *mesh.Outputs) error {
	switch ev.Trigger {
	case mesh.Tick:
		for key, a := range e.averages.All() {
			e.emit([]byte(key), a, out)
		}
		return nil
	case mesh.Result:
		return nil
	}
	key, value, err := e.measure.Read(ev)
	if err != nil {
		return err
	}
	a, err := e.averages.At(key)
	if err != nil {
		return err
	}
	e.add(a, value, ev.Time)
	if a.count%e.every == 0 {
		e.emit(key, a, out)
	}
	return nil
}

func (e *ewma) add(a *average, value float64, now int64) {
	weight := e.alpha
	switch {
	case a.count == 0:
		weight = 1
	case e.halfLife > 0:
		weight = 1 - math.Exp2(-float64(max(now-a.last, 0))/float64(e.halfLife))
	}
	// Two products, each rounded by itself: neither overflows, and no processor fuses them to other bits.
	kept, added := float64((1-weight)*a.value), float64(weight*value)
	a.value, a.last = kept+added, now
	a.count++
}

func (e *ewma) emit(key []byte, a *average, out *mesh.Outputs) {
	b := mesh.AppendJSONText(append(e.buf[:0], `{"key":`...), key)
	b = mesh.AppendJSONNumber(append(b, `,"value":`...), a.value)
	b = strconv.AppendUint(append(b, `,"count":`...), a.count, 10)
	e.buf = append(b, '}')
	out.Emit(e.buf)
}

func (e *ewma) Snapshot() ([]byte, error) {
	return e.averages.Append([]byte{stateVersion}, func(b []byte, a *average) []byte {
		b = mesh.AppendWord(b, math.Float64bits(a.value))
		return mesh.AppendInt(mesh.AppendUint(b, a.count), a.last)
	}), nil
}

func (e *ewma) Restore(state []byte) error {
	e.averages.Reset()
	d := mesh.Decode(state, stateVersion)
	e.averages.Decode(&d, 10, func(d *mesh.Decoder, a *average) {
		*a = average{value: math.Float64frombits(d.Word()), count: d.Uint(), last: d.Int()}
		if math.IsNaN(a.value) || math.IsInf(a.value, 0) {
			d.Fail("average %v is no number", a.value)
		}
	})
	return d.End("ewma state")
}

func (e *ewma) Health() mesh.Health { return e.averages.Health() }

func (e *ewma) Saturation() float32 { return e.averages.Saturation() }
