package main

import (
	"context"
	"net/http"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/order"
)

// agent asks the running agent, if there is one, how it and its daemons are.
func (d *doctor) agent(ctx context.Context) {
	const check = "agent"
	if d.holder == nil {
		d.warn(check, "systemctl start edge-agent, or edge-agent run", "no agent runs on this state")
		return
	}
	dir := d.settings.StateDir
	var n agent.NodeState
	if err := askAgent(ctx, dir, http.MethodGet, "/state", &n); err != nil {
		d.wrong(check, "wait if it has just started; run as the agent's user; else look into its log: journalctl -u edge-agent",
			"%s holds the state and does not answer: %v", holderName(d.holder), err)
		return
	}
	d.node = n
	up := (time.Duration(n.Uptime) * time.Second).String()
	mine := currentBuild().Version
	switch {
	case n.Health.Level == order.Unhealthy:
		d.wrong(check, "edge-agent doctor --bundle keeps what is known", "%s is unhealthy: %s", n.Node, n.Health.Reason)
	case n.Health.Level == order.Degraded:
		d.warn(check, "its log says more: journalctl -u edge-agent", "%s is degraded: %s", n.Node, n.Health.Reason)
	case n.Version != mine:
		d.warn(check, "systemctl restart edge-agent", "%s runs version %s, and %s is installed", n.Node, n.Version, mine)
	case !n.Connected:
		d.warn(check, "see the broker's line", "%s is %s and not connected to a broker, for %s", n.Node, n.State, up)
	default:
		d.fine(check, "%s is %s and connected, version %s, up %s", n.Node, n.State, n.Version, up)
	}
	if age := time.Duration(n.Outbox.AgeMS) * time.Millisecond; age > time.Minute {
		d.warn("outbox", "see the broker's line; what is oldest is given up when the outbox is full",
			"%d outputs wait, the oldest for %s", n.Outbox.Rows, age.Round(time.Second))
	}
	d.daemons(ctx, dir)
	var poison []agent.Poison
	if err := askAgent(ctx, dir, http.MethodGet, "/poison", &poison); err == nil && len(poison) > 0 {
		d.poison(len(poison))
	}
}

// settled are the states in which a daemon is as it was asked to be.
var settled = map[order.State]order.Phase{
	order.Run: order.Running, order.Standby: order.OnStandby, order.Frozen: order.IsFrozen, order.Stop: order.Stopped,
	order.Gone: order.Forgotten,
}

func (d *doctor) daemons(ctx context.Context, dir string) {
	const check = "daemons"
	if err := askAgent(ctx, dir, http.MethodGet, "/daemons", &d.told); err != nil {
		d.wrong(check, "its log says more: journalctl -u edge-agent", "%v", err)
		return
	}
	good := 0
	for _, r := range d.told {
		switch {
		case r.Refused != "":
			d.wrong(check, "mend the order and give it a higher generation", "%s: generation %d is refused, %s: %s",
				r.Daemon, r.Asked, r.Refused, r.Error)
		case r.Wanted != "" && settled[r.Wanted] != r.State:
			d.wrong(check, "edge-agent state show "+string(r.Daemon)+" says more", "%s is %s where %s was asked for: %s",
				r.Daemon, r.State, r.Wanted, r.Error)
		case r.Health != nil && r.Health.Level == order.Unhealthy:
			d.wrong(check, "edge-agent state show "+string(r.Daemon)+" says more", "%s is unhealthy: %s", r.Daemon, r.Health.Reason)
		case r.Health != nil && r.Health.Level == order.Degraded:
			d.warn(check, "edge-agent state show "+string(r.Daemon)+" says more", "%s is degraded: %s", r.Daemon, r.Health.Reason)
		default:
			good++
		}
	}
	if good == len(d.told) {
		d.fine(check, "%d, all as wanted", good)
	}
}
