package bench

import (
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/probe"
)

func TestBothSidesAreMeasured(t *testing.T) {
	steps := 0
	r, err := Run(t.Context(), probe.Options{Timeout: time.Minute}, 1, func(int, int) { steps++ })
	if err != nil {
		t.Fatal(err)
	}
	if want := len(probe.Subjects()) + 2; len(r.Costs) != want || r.Others.Time <= 0 || r.Ratio <= 0 || steps != 3 {
		t.Errorf("%d costs, others %v, ratio %.1f, %d steps; want %d costs, both measured, 3 steps",
			len(r.Costs), r.Others, r.Ratio, steps, want)
	}
}
