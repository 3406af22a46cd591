package probe

import (
	"context"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// Readings reads the gauges of a result again and adds a sample for each to into. A gauge that cannot be read, and the
// rest once the context has ended, is left out. The tree is the one that was probed; Here() is this machine.
func Readings(ctx context.Context, tree Tree, gauges []Gauge, into []mesh.Sample) []mesh.Sample {
	path, text := "", ""
	readable := false
	for _, g := range gauges {
		if ctx.Err() != nil {
			return into
		}
		value, ok := g.Value, g.Path == ""
		if g.Path != "" {
			if g.Path != path { // several gauges of one file follow each other
				raw, err := tree.Read(g.Path, readLimit)
				path, text, readable = g.Path, strings.TrimSpace(string(raw)), err == nil
			}
			if readable {
				value, ok = g.Parse(text)
			}
		}
		if ok {
			into = append(into, mesh.Sample{Sensor: g.Name, Value: value, Unit: g.Unit, Kind: g.Kind})
		}
	}
	return into
}
