// Package counter counts events, all together or apart by source, and emits the count.
//
// It emits {"count":3}, or {"key":"press-1","count":3} when it counts apart, after every so many events and for each
// tick. It reads no payload unless a key stands in it.
package counter

import (
	"strconv"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

const (
	schema       = 1
	stateVersion = 1
	maxKeys      = 1024
)

var settings = [...]mesh.Setting{
	{Name: "every", Type: mesh.TypeCount, Default: "1", Help: "emit after each so many events"},
	{Name: "per", Type: mesh.TypeText, Default: "all", Help: `"all" counts together, "source" apart by key`},
	{Name: "key", Type: mesh.TypeText, Help: `where the key stands in a JSON payload, such as "/device"; ` +
		`without it the event's source is the key`},
	{Name: "keys", Type: mesh.TypeCount, Default: "256", Help: "how many keys are counted apart at most; up to 1024"},
}

// Kind describes the counter.
func Kind() mesh.Kind {
	return mesh.Kind{
		Name: "counter", Version: "1", Summary: "counts events, all together or by source",
		Schema: schema, Stateful: true, Config: settings[:], New: build,
	}
}

type counter struct {
	every   uint64
	apart   bool
	measure mesh.Measure
	counts  *mesh.Keyed[uint64]
	buf     []byte
}

func build(config []byte, _ mesh.Env) (mesh.Daemon, error) {
	s := mesh.ReadSettings(config, settings[:])
	c := &counter{
		every:   s.Count("every", 1, 1<<53),
		apart:   s.Choice("per", "all", "source") == "source",
		measure: mesh.Measure{Key: s.Pointer("key")},
		counts:  mesh.NewKeyed[uint64](int(s.Count("keys", 1, maxKeys))),
	}
	if !c.apart && s.Given("key") {
		s.Refuse("key", `needs per to be "source"`)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *counter) Name() string                    { return "counter" }
func (c *counter) Requirements() capability.Filter { return capability.Filter{} }

func (c *counter) Process(ev *mesh.Event, out *mesh.Outputs) error {
	switch ev.Trigger {
	case mesh.Tick:
		for key, count := range c.counts.All() {
			c.emit([]byte(key), *count, out)
		}
		return nil
	case mesh.Result:
		return nil
	}
	var key []byte
	if c.apart {
		var err error
		if key, err = c.measure.KeyOf(ev); err != nil {
			return err
		}
	}
	count, err := c.counts.At(key)
	if err != nil {
		return err
	}
	*count++
	if *count%c.every == 0 {
		c.emit(key, *count, out)
	}
	return nil
}

func (c *counter) emit(key []byte, count uint64, out *mesh.Outputs) {
	b := append(c.buf[:0], '{')
	if c.apart {
		b = append(mesh.AppendJSONText(append(b, `"key":`...), key), ',')
	}
	b = strconv.AppendUint(append(b, `"count":`...), count, 10)
	c.buf = append(b, '}')
	out.Emit(c.buf)
}

func (c *counter) Snapshot() ([]byte, error) {
	return c.counts.Append([]byte{stateVersion}, func(b []byte, count *uint64) []byte {
		return mesh.AppendUint(b, *count)
	}), nil
}

func (c *counter) Restore(state []byte) error {
	c.counts.Reset()
	d := mesh.Decode(state, stateVersion)
	c.counts.Decode(&d, 1, func(d *mesh.Decoder, count *uint64) { *count = d.Uint() })
	return d.End("counter state")
}

func (c *counter) Health() mesh.Health { return c.counts.Health() }

func (c *counter) Saturation() float32 {
	if !c.apart {
		return 0
	}
	return c.counts.Saturation()
}
