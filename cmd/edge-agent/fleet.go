package main

import (
	"context"

	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// fleetCommand reads what the nodes of a fleet say.
type fleetCommand struct {
	Nodes fleetNodesCommand `cmd:"" help:"List the nodes that have announced themselves."`
	Watch fleetWatchCommand `cmd:"" help:"Show what nodes and daemons say as they say it, until interrupted."`
}

type fleetNodesCommand struct{ configFlags }

func (c *fleetNodesCommand) Run(ctx context.Context, con *console) error {
	s, err := c.Settings()
	if err != nil {
		return err
	}
	root := order.Fleet(s.Fleet).Root()
	v, err := visit(ctx, s, root+"/n/+/pres", root+"/n/+/caps", root+"/n/+/rep/+")
	if err != nil {
		return err
	}
	defer v.leave()
	view := newFleetView(v.fleet)
	if err := v.settle(ctx, func(m mqtt.Message) { view.take(m) }); err != nil {
		return err
	}
	nodes := view.sorted()
	if len(nodes) == 0 {
		con.Note("No node of the fleet %s has announced itself to this broker.", s.Fleet)
	}
	return con.Print(nodes, nodesTable(nodes))
}

func nodesTable(nodes []*nodeView) *table {
	t := newTable("node", "state", "daemons", "running", "arch", "cores", "memory_mb", "gpu", "agent", "since")
	for _, n := range nodes {
		state, since := "unknown", ""
		if n.Presence != nil {
			state, since = string(n.Presence.State), n.Presence.Time
		}
		daemons, running := 0, 0
		for _, report := range n.Reports {
			if report.State != order.Forgotten {
				daemons++
			}
			if report.State == order.Running {
				running++
			}
		}
		cells := []any{n.Node, state, daemons, running}
		t.Row(append(append(cells, n.hardware()...), since)...)
	}
	return t
}

// hardware are the cells that the caps fill; what nobody knows stays empty.
func (n *nodeView) hardware() []any {
	cells := []any{"", "", "", "", ""}
	if n.Caps == nil {
		return cells
	}
	set, err := n.Caps.Set()
	if err != nil {
		return cells
	}
	for i, key := range []string{
		"hardware.cpu.arch", "hardware.cpu_cores", "hardware.memory_mb", "hardware.gpu.model",
	} {
		if number, ok := set.Int(key); ok {
			cells[i] = number
		} else if text, ok := set.Text(key); ok {
			cells[i] = text
		}
	}
	cells[4] = n.Caps.Version
	return cells
}
