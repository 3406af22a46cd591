package main

import (
	"context"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/probe"
	"github.com/edge-agent/edge-agent/probe/bench"
)

type benchProbeCommand struct {
	Rounds int `default:"20" help:"How often each is asked."`
}

func (c benchProbeCommand) Run(ctx context.Context, con *console) error {
	bar := con.Progress("measuring", 2)
	r, err := bench.Run(ctx, probe.Options{}, c.Rounds, func(done, _ int) { bar.Step(done) })
	bar.Done()
	if err != nil {
		return err
	}
	t := newTable("subject", "microseconds", "allocs", "bytes")
	for _, cost := range append(r.Costs, r.Others) {
		t.Row(cost.Subject, cost.Time.Round(time.Microsecond).Microseconds(), cost.Allocs, cost.Bytes)
	}
	con.Note("all subjects take 1/%s of the time of ghw and gopsutil (goal: 1/2.5)", fmt.Sprintf("%.1f", r.Ratio))
	return con.Print(r, t)
}
