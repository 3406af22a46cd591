package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/edge-agent/edge-agent/persist/bench"
)

type benchPersistCommand struct {
	Dir     string        `placeholder:"DIR" help:"Where to write: the disk that is measured. By default the state directory's."`
	Rounds  int           `default:"5" help:"Turns of each side."`
	Turn    time.Duration `default:"300ms" help:"Length of a turn."`
	Payload int           `default:"256" help:"Bytes of an event, and of its output."`
}

func (c benchPersistCommand) Run(ctx context.Context, con *console) error {
	dir := c.Dir
	if dir == "" {
		s, err := configFlags{}.Settings()
		if err != nil {
			return err
		}
		dir = s.StateDir
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(exitFailed, err, "choose a directory with --dir")
	}
	bar := con.Progress("measuring", 0)
	r, err := bench.Measure(ctx, dir, bench.Options{
		Rounds: c.Rounds, Turn: c.Turn, Payload: c.Payload,
		Progress: func(done, total int) { bar.total = total; bar.Step(done) },
	})
	bar.Done()
	if err != nil {
		return err
	}
	t := newTable("waiters", "store/s", "p50", "p99", "bare bbolt/s", "plain log/s", "over bare", "over log")
	for _, row := range r.Rows {
		t.Row(row.Waiters, int(row.Store.Events), row.Store.P50.Round(10*time.Microsecond),
			row.Store.P99.Round(10*time.Microsecond), int(row.Bare.Events), int(row.Log.Events),
			fmt.Sprintf("%.2f", row.OverBare), fmt.Sprintf("%.2f", row.OverLog))
	}
	return con.Print(r, t)
}
