package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

type stateListCommand struct{ stateFlags }

// keptDaemon is a daemon as the store has it.
type keptDaemon struct {
	Daemon      mesh.DaemonID  `json:"daemon"`
	Epoch       uint64         `json:"epoch"`
	Incarnation uint32         `json:"incarnation"`
	Sequence    uint64         `json:"sequence"`
	Snapshots   []keptSnapshot `json:"snapshots"`
	Replay      int            `json:"replay"`
	Waiting     int            `json:"waiting_inputs"`
	Outbox      int            `json:"outbox"`
}

// keptSnapshot is a snapshot without its state.
type keptSnapshot struct {
	Position mesh.Position `json:"position"`
	Size     int64         `json:"bytes"`
}

func viewHolding(h persist.Holding) keptDaemon {
	d := keptDaemon{
		Daemon: h.Daemon, Epoch: h.Head.Epoch, Incarnation: h.Head.Incarnation, Sequence: h.Head.Link.Sequence,
		Snapshots: []keptSnapshot{}, Replay: h.Steps, Waiting: h.Givens, Outbox: h.Rows,
	}
	for _, s := range h.Snapshots {
		d.Snapshots = append(d.Snapshots, keptSnapshot{s.Position, s.Size})
	}
	return d
}

func (c stateListCommand) Run(ctx context.Context, con *console) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	err = readState(dir, func(s *persist.Store) error { return listState(con, s) })
	if errors.Is(err, errAgentRuns) {
		return listRunning(ctx, con, dir)
	}
	return err
}

func listState(con *console, s *persist.Store) error {
	inv, err := s.Inspect()
	if err != nil {
		return err
	}
	list := make([]keptDaemon, 0, len(inv.Daemons))
	t := newTable("daemon", "epoch", "sequence", "snapshots", "replay", "waiting", "outbox")
	for _, h := range inv.Daemons {
		d := viewHolding(h)
		list = append(list, d)
		t.Row(d.Daemon, d.Epoch, d.Sequence, len(d.Snapshots), d.Replay, d.Waiting, d.Outbox)
	}
	if len(inv.Problems) > 0 {
		con.Note("%d problems: see edge-agent state verify", len(inv.Problems))
	}
	return con.Print(list, t)
}

// listRunning lists what the running agent reports.
func listRunning(ctx context.Context, con *console, dir string) error {
	var reports []json.RawMessage
	if err := askAgent(ctx, dir, http.MethodGet, "/daemons", &reports); err != nil {
		return err
	}
	t := newTable("daemon", "state", "epoch", "sequence")
	for _, raw := range reports {
		var d struct {
			Daemon string
			State  string
			Epoch  uint64
			Head   struct{ Sequence uint64 }
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return fmt.Errorf("reading the agent's answer: %w", err)
		}
		t.Row(d.Daemon, d.State, d.Epoch, d.Head.Sequence)
	}
	return con.Print(reports, t)
}
