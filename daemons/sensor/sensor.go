// Package sensor emits readings of this machine: those that match, when they changed enough and not too often.
//
// Readings reach it through the binding "source: machine". It emits each as it came:
// {"sensor":"hwmon0/temp1","value":41.5,"unit":"C","kind":"temperature"}.
package sensor

import (
	"errors"
	"math"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

const (
	schema       = 1
	stateVersion = 1
	maxSensors   = 1024
	maxPatterns  = 64
	maxWait      = 7 * 24 * time.Hour
)

var settings = [...]mesh.Setting{
	{Name: "match", Type: mesh.TypeTexts, Default: "*", Help: `patterns of KIND/SENSOR, such as "temperature/*"; ` +
		"* stands for any characters, ? for one"},
	{Name: "min_change", Type: mesh.TypeNumber, Default: "0", Help: "emit only when the value changed by this much"},
	{Name: "min_interval", Type: mesh.TypeDuration, Default: "0s", Help: "emit a sensor at most once in this time"},
	{Name: "max_interval", Type: mesh.TypeDuration, Help: "emit the next reading after this time, changed or not"},
	{Name: "sensors", Type: mesh.TypeCount, Default: "256", Help: "how many sensors are followed at most; up to 1024"},
}

// Kind describes the sensor.
func Kind() mesh.Kind {
	return mesh.Kind{
		Name: "sensor", Version: "1", Summary: "emits readings of this machine",
		Schema: schema, Stateful: true, Config: settings[:], New: build,
	}
}

type sensor struct {
	match     []string
	minChange float64
	min, max  time.Duration // max 0: never without a change
	emitted   *mesh.Keyed[reading]
	buf       []byte
}

// reading is the last one that was emitted of a sensor.
type reading struct {
	value float64
	time  int64
	any   bool
}

func build(config []byte, _ mesh.Env) (mesh.Daemon, error) {
	s := mesh.ReadSettings(config, settings[:])
	d := &sensor{
		match:     s.Texts("match"),
		minChange: s.Number("min_change"),
		min:       s.Duration("min_interval", 0, maxWait),
		max:       s.Duration("max_interval", 0, maxWait),
		emitted:   mesh.NewKeyed[reading](int(s.Count("sensors", 1, maxSensors))),
	}
	if len(d.match) == 0 || len(d.match) > maxPatterns {
		s.Refuse("match", "must have 1 to %d patterns, not %d", maxPatterns, len(d.match))
	}
	for _, pattern := range d.match {
		if pattern == "" || len(pattern) > mesh.MaxKey {
			s.Refuse("match", "a pattern must have 1 to %d characters", mesh.MaxKey)
		}
	}
	if d.minChange < 0 {
		s.Refuse("min_change", "must not be negative")
	}
	if d.max != 0 && d.max < d.min {
		s.Refuse("max_interval", "must not be less than min_interval")
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *sensor) Name() string                    { return "sensor" }
func (d *sensor) Requirements() capability.Filter { return capability.Filter{} }

func (d *sensor) Process(ev *mesh.Event, out *mesh.Outputs) error {
	if ev.Trigger != mesh.Reading && ev.Trigger != mesh.Message {
		return nil
	}
	sample, err := mesh.ParseSample(ev.Payload)
	if err != nil {
		return err
	}
	if sample.Sensor == "" {
		return errors.New("sample: no sensor")
	}
	key := []byte(sample.Kind + "/" + sample.Sensor)
	if !d.matches(key) {
		return nil
	}
	last, err := d.emitted.At(key)
	if err != nil {
		return err
	}
	if !d.due(last, sample.Value, ev.Time) {
		return nil
	}
	*last = reading{value: sample.Value, time: ev.Time, any: true}
	d.buf = sample.Append(d.buf[:0])
	out.Emit(d.buf)
	return nil
}

func (d *sensor) matches(key []byte) bool {
	for _, pattern := range d.match {
		if glob(pattern, key) {
			return true
		}
	}
	return false
}

func (d *sensor) due(last *reading, value float64, now int64) bool {
	passed := time.Duration(now - last.time)
	switch {
	case !last.any:
		return true
	case passed < d.min:
		return false
	case d.max > 0 && passed >= d.max:
		return true
	}
	return math.Abs(value-last.value) >= d.minChange
}

// glob reports whether the pattern covers the whole text: * stands for any characters, ? for one.
func glob(pattern string, text []byte) bool {
	p, t := 0, 0
	star, mark := -1, 0 // the last *, and the text it was last tried at
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func (d *sensor) Snapshot() ([]byte, error) {
	return d.emitted.Append([]byte{stateVersion}, func(b []byte, r *reading) []byte {
		b = mesh.AppendFlags(mesh.AppendInt(b, r.time), r.any)
		return mesh.AppendWord(b, math.Float64bits(r.value))
	}), nil
}

func (d *sensor) Restore(state []byte) error {
	d.emitted.Reset()
	record := mesh.Decode(state, stateVersion)
	d.emitted.Decode(&record, 10, func(record *mesh.Decoder, r *reading) {
		r.time = record.Int()
		record.Flags(&r.any)
		if r.value = math.Float64frombits(record.Word()); math.IsNaN(r.value) || math.IsInf(r.value, 0) {
			record.Fail("value %v is no number", r.value)
		}
	})
	return record.End("sensor state")
}

func (d *sensor) Health() mesh.Health { return d.emitted.Health() }

func (d *sensor) Saturation() float32 { return d.emitted.Saturation() }
