package main

import (
	"context"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch/bench"
)

type benchDispatchCommand struct {
	Rounds int           `default:"5" help:"Turns of each side."`
	Turn   time.Duration `default:"100ms" help:"Length of a turn."`
	Only   string        `placeholder:"NAME" help:"Measure one workload only."`
}

func (c benchDispatchCommand) Run(ctx context.Context, con *console) error {
	bar := con.Progress("measuring", 0)
	rows, err := bench.Run(ctx, bench.Options{
		Rounds: c.Rounds, Turn: c.Turn, Only: c.Only,
		Progress: func(done, total int) { bar.total = total; bar.Step(done) },
	})
	bar.Done()
	if err != nil {
		return err
	}
	t := newTable("workload", "loop ns", "channels ns", "ratio", "goal", "allocs/event")
	for _, r := range rows {
		goal := ""
		if r.Goal > 0 {
			goal = fmt.Sprint(r.Goal)
		}
		t.Row(r.Name, fmt.Sprintf("%.1f", r.Loop), fmt.Sprintf("%.1f", r.Other), fmt.Sprintf("%.2f", r.Ratio), goal,
			fmt.Sprintf("%.3f", r.Allocs))
	}
	return con.Print(rows, t)
}
