package bench

import (
	"testing"
	"time"
)

// TestEveryWorkloadEnds runs each workload shortly: it says nothing about speed.
func TestEveryWorkloadEnds(t *testing.T) {
	rows, err := Run(t.Context(), Options{Rounds: 1, Turn: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, row := range rows {
		if names[row.Name] || row.Loop <= 0 || row.Other <= 0 || row.Ratio <= 0 {
			t.Errorf("%+v", row)
		}
		names[row.Name] = true
	}
	if _, err := Run(t.Context(), Options{Only: "no such workload"}); err == nil {
		t.Error("an unknown workload was accepted")
	}
}
