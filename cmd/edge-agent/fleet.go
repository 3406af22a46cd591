package main

import (
	"context"
	"fmt"
	"time"

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

type fleetWatchCommand struct {
	configFlags
	Heartbeats bool          `help:"Show heartbeats too."`
	For        time.Duration `placeholder:"DURATION" help:"End when what follows was shown for so long."`
}

func (c *fleetWatchCommand) Run(ctx context.Context, con *console) error {
	s, err := c.Settings()
	if err != nil {
		return err
	}
	v, err := visit(ctx, s, order.Fleet(s.Fleet).Root()+"/n/#")
	if err != nil {
		return err
	}
	defer v.leave()
	view := newFleetView(v.fleet)
	var broken error
	show := func(m mqtt.Message) {
		change, ok := view.take(m)
		if !ok || change.About == "hb" && !c.Heartbeats {
			return
		}
		subject := string(change.Node)
		if change.Daemon != "" {
			subject += "/" + string(change.Daemon)
		}
		line := fmt.Sprintf("%s  %-24s %-4s %s", time.Now().Format(time.TimeOnly), subject, change.About, change.Text)
		if err := con.PrintLine(change, line); err != nil {
			broken = err
		}
	}
	if err := v.settle(ctx, show); err != nil {
		return err
	}
	con.Note("That is what was kept; what follows is live.")
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	for broken == nil {
		select {
		case m := <-v.messages:
			if m.Topic != v.echo {
				show(m)
			}
		case <-ctx.Done():
			return nil
		}
	}
	return broken
}
