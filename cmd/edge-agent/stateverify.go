package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

type stateVerifyCommand struct{ stateFlags }

// stateVerdict is what state verify prints.
type stateVerdict struct {
	Good     bool           `json:"good"`
	Daemons  int            `json:"daemons"`
	Journal  int64          `json:"journal_bytes"`
	Rows     int            `json:"outbox"`
	Bytes    int64          `json:"outbox_bytes"`
	Poison   int            `json:"poison"`
	Gaps     int            `json:"gaps"`
	Problems []stateProblem `json:"problems"`
}

type stateProblem struct {
	Kind   persist.AlarmKind `json:"kind"`
	Daemon mesh.DaemonID     `json:"daemon,omitzero"`
	Text   string            `json:"text"`
}

func (c stateVerifyCommand) Run(con *console) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	return stopFirst(readState(dir, func(s *persist.Store) error { return verifyState(con, s) }))
}

func verifyState(con *console, s *persist.Store) error {
	begun := time.Now()
	inv, err := s.Inspect()
	if err != nil {
		return err
	}
	v := stateVerdict{
		Good: len(inv.Problems) == 0, Daemons: len(inv.Daemons), Journal: inv.Journal, Rows: inv.Rows,
		Bytes: inv.Outbox, Poison: inv.Poison, Gaps: inv.Gaps, Problems: []stateProblem{},
	}
	t := newTable("problem", "daemon", "what")
	for _, p := range inv.Problems {
		v.Problems = append(v.Problems, stateProblem{p.Kind, p.Daemon, p.Text})
		t.Row(p.Kind, p.Daemon, p.Text)
	}
	if v.Good {
		return con.PrintText(v, fmt.Sprintf("good: %d daemons, %d outputs waiting, every record as it was written (%v)",
			v.Daemons, v.Rows, time.Since(begun).Round(time.Millisecond)))
	}
	if err := con.Print(v, t); err != nil {
		return err
	}
	return fail(exitFailed, errors.New("the store has problems"),
		"edge-agent run sets aside what is damaged and goes on from what is good")
}
