package probe

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatAToolSaidIsHandedOnWithEachAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0.0
		tool := Subject{Name: "tool", Words: []Word{{Key: "hardware.tool"}}, Probe: func(p *Pass) error {
			asked++
			p.Tag("hardware.tool", Evidence{Path: "tool:x"})
			p.Gauge(Gauge{Kind: "temperature", Name: "x", Unit: "celsius", Value: asked})
			return nil
		}}
		var values []float64
		told := 0
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		o := Options{Tree: machine{}.tree(), Subjects: []Subject{tool}, Poll: 10 * time.Second}
		o.Gauges = func(all []Gauge) { values = append(values, all[0].Value) }
		var memory Memory
		if err := Watch(ctx, o, &memory, func(Result) { told++ }); err != context.DeadlineExceeded {
			t.Fatal(err)
		}
		if told != 1 || len(values) < 4 || values[len(values)-1] != asked {
			t.Errorf("told %d times, gauges %v of %v answers", told, values, asked)
		}
	})
}
