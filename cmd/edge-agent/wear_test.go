package main

import (
	"math"
	"testing"

	"github.com/edge-agent/edge-agent/order"
)

func TestExpectedWearFollowsTheDurability(t *testing.T) {
	tests := []struct {
		name, spec string
		rate       float64
		commits    float64
		gbPerDay   float64 // computed by hand from the constants
	}{
		{"nothing is written without durability", `{"kind":"ewma","durability":"volatile","inputs":[{"topic":"a"}]}`,
			20, 0, 0},
		// 20 commits of 20,480 bytes, 20 records of 352 bytes 1.2 times, a snapshot of 8 KiB each 50 s
		{"each event is a commit", `{"kind":"ewma","durability":"sync","inputs":[{"topic":"a"}]}`, 20, 20, 36.1337},
		{"a window groups them", `{"kind":"ewma","durability":"window(5s)","inputs":[{"topic":"a"}]}`, 20, 0.2, 1.0978},
		{"a timer has its own rate", `{"kind":"ewma","durability":"sync","inputs":[{"every":"10s"}]}`, 20, 0.1, 0.1924},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec, err := order.ParseSpec([]byte(test.spec))
			if err != nil {
				t.Fatal(err)
			}
			spec = spec.Filled("mean", true)
			got := expectedWear(spec, expectedLoad(spec, test.rate, 256, 4096))
			if math.Abs(got.Commits-test.commits) > 1e-9 || math.Abs(got.GBPerDay-test.gbPerDay) > 1e-3 {
				t.Errorf("got %+v", got)
			}
		})
	}
}
