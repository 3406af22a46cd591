package probe

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// Cost is what one answer costs: the median time, and the mean of what was allocated.
type Cost struct {
	Subject string        `json:"subject"`
	Time    time.Duration `json:"ns"`
	Allocs  uint64        `json:"allocs"`
	Bytes   uint64        `json:"bytes"`
}

// Measure asks each subject alone for so many rounds, then all beside each other, then reads the gauges again: the last
// two costs are named all and readings.
func Measure(ctx context.Context, o Options, rounds int) ([]Cost, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	rounds = max(1, rounds)
	var costs []Cost
	for _, s := range o.Subjects {
		costs = append(costs, cost(s.Name, rounds, func() { ask(ctx, o, []Subject{s}) }))
		if ctx.Err() != nil {
			return costs, ctx.Err()
		}
	}
	var last Result
	costs = append(costs, cost("all", rounds, func() { last = collect(o, ask(ctx, o, o.Subjects)) }))
	samples := Readings(ctx, o.Tree, last.Gauges, nil)
	costs = append(costs, cost("readings", rounds, func() { samples = Readings(ctx, o.Tree, last.Gauges, samples[:0]) }))
	return costs, ctx.Err()
}

func cost(name string, rounds int, f func()) Cost {
	times := make([]time.Duration, rounds)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range times {
		began := time.Now()
		f()
		times[i] = time.Since(began)
	}
	runtime.ReadMemStats(&after)
	slices.Sort(times)
	n := uint64(rounds)
	return Cost{name, times[rounds/2], (after.Mallocs - before.Mallocs) / n, (after.TotalAlloc - before.TotalAlloc) / n}
}
