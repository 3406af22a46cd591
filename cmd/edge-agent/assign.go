package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// assignCommand gives one order by hand: term 0, the next generation, and an epoch above every one that is known.
type assignCommand struct {
	configFlags
	NodeID string        `arg:"" name:"node" help:"Node that shall obey."`
	Daemon string        `arg:"" help:"Daemon that the order is about."`
	Spec   string        `arg:"" optional:"" help:"Its spec, YAML or JSON; - is standard input. Not needed to stop."`
	State  order.State   `short:"s" enum:"run,standby,frozen,stop,gone" default:"run" help:"What is wanted: ${enum}."`
	Force  bool          `help:"Assign even if the daemon may live elsewhere: two copies can then run at once."`
	Wait   time.Duration `default:"30s" help:"How long to wait for the node's report; 0 does not wait."`
}

// errNoReport says that the node gave no answer in time.
var errNoReport = errors.New("no report came in time")

func (c *assignCommand) Run(ctx context.Context, con *console) error {
	node, errNode := mesh.ParseNodeID(c.NodeID)
	daemon, errDaemon := mesh.ParseDaemonID(c.Daemon)
	if err := errors.Join(errNode, errDaemon); err != nil {
		return fail(exitUsage, err, "edge-agent assign NODE DAEMON SPEC")
	}
	s, err := c.Settings()
	if err != nil {
		return err
	}
	a := order.Assignment{State: c.State, Force: c.Force}
	if c.Spec != "" {
		if a.Spec, err = readSpec(c.Spec, con.In); err != nil {
			return err
		}
	} else if c.State == order.Run {
		return fail(exitUsage, errors.New("to run a daemon its spec is needed"), "edge-agent assign NODE DAEMON SPEC")
	}
	fleet := order.Fleet(s.Fleet)
	v, err := visit(ctx, s, fleet.Root()+"/n/+/pres", fleet.Report("+", daemon), fleet.Assigned(node, daemon))
	if err != nil {
		return err
	}
	defer v.leave()
	view := newFleetView(fleet)
	if err := v.settle(ctx, func(m mqtt.Message) { view.take(m) }); err != nil {
		return err
	}
	if err := view.number(node, daemon, &a); err != nil {
		return err
	}
	report, err := c.give(ctx, con, v, node, daemon, &a)
	if err != nil || report == nil || report.State != order.Running {
		return err
	}
	delete(view.nodes, node)
	return view.forget(daemon, func(topic string) error { return v.client.Publish(topic, 1, true, nil) })
}

// number refuses an order that would make a second copy, and gives the others their numbers.
func (v *fleetView) number(node mesh.NodeID, daemon mesh.DaemonID, a *order.Assignment) error {
	if v.nodes[node] == nil && !a.Force {
		var known []string
		for _, n := range v.sorted() {
			known = append(known, string(n.Node))
		}
		return fail(exitRefused, fmt.Errorf("no node %q is known in this fleet%s", node, suggestion(string(node), known)),
			"edge-agent fleet nodes lists them; --force leaves the order for a node to come")
	}
	for _, other := range v.sorted() {
		report := other.Reports[daemon]
		if report == nil {
			continue
		}
		a.Epoch = max(a.Epoch, report.Epoch)
		if other.Node == node {
			a.Generation = max(a.Generation, report.Generation, report.Asked)
			continue
		}
		if report.State.Live() && (a.State == order.Run || a.State == order.Standby) && !a.Force {
			return fail(exitRefused, fmt.Errorf("daemon %s is %s on node %s", daemon, report.State, other.Node),
				fmt.Sprintf("end it there first: edge-agent assign %s %s --state gone; if that node never comes back, --force",
					other.Node, daemon))
		}
	}
	switch mine := v.report(node, daemon); {
	case a.Epoch == 0:
	case mine == nil, mine.State == order.Forgotten, mine.Epoch < a.Epoch:
		a.Epoch++ // its history ended elsewhere, or was dropped
	default:
		a.Epoch = 0 // the node keeps its own
	}
	before, given := v.orders[node][daemon]
	if given && before.Body() == a.Body() && before.Term == 0 && before.Generation >= a.Generation {
		a.Generation, a.Epoch = before.Generation, before.Epoch
		return nil
	}
	a.Generation = max(a.Generation, before.Generation) + 1
	return nil
}

// report is what a node last said of a daemon, nil if it never did.
func (v *fleetView) report(node mesh.NodeID, daemon mesh.DaemonID) *order.Report {
	if n := v.nodes[node]; n != nil {
		return n.Reports[daemon]
	}
	return nil
}

// forget lets the nodes where the daemon is gone forget that it ever was there, now that another keeps its history.
func (v *fleetView) forget(daemon mesh.DaemonID, publish func(topic string) error) error {
	for _, n := range v.sorted() {
		if report := n.Reports[daemon]; report != nil && report.State == order.Forgotten {
			if err := publish(v.fleet.Assigned(n.Node, daemon)); err != nil {
				return err
			}
		}
	}
	return nil
}

// given is what the order became.
type given struct {
	Node       mesh.NodeID   `json:"node"`
	Daemon     mesh.DaemonID `json:"daemon"`
	Generation uint64        `json:"generation"`
	Report     *order.Report `json:"report,omitempty"`
}

// give publishes the order and shows the report, which it returns unless nobody waited for it.
func (c *assignCommand) give(ctx context.Context, con *console, v *visitor, node mesh.NodeID, daemon mesh.DaemonID,
	a *order.Assignment) (*order.Report, error) {
	text, err := order.Encode(a)
	if err != nil {
		return nil, fail(exitConfig, err, "edge-agent check says what a spec must be")
	}
	if err := v.client.Publish(v.fleet.Assigned(node, daemon), 1, true, text); err != nil {
		return nil, fail(exitConfig, fmt.Errorf("publishing the order: %w", err), "")
	}
	result := given{Node: node, Daemon: daemon, Generation: a.Generation}
	if c.Wait <= 0 {
		return nil, con.PrintText(result, fmt.Sprintf("generation %d is given to %s", a.Generation, node))
	}
	if result.Report, err = c.await(ctx, con, v, v.fleet.Report(node, daemon), a.Generation); err != nil {
		return nil, err
	}
	if err := con.Print(result, reportTable(result)); err != nil {
		return nil, err
	}
	return result.Report, verdictOf(result.Report)
}

// await waits until a report says how the order ended.
func (c *assignCommand) await(ctx context.Context, con *console, v *visitor, topic string, generation uint64) (
	*order.Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Wait, errNoReport)
	defer cancel()
	waiting := con.Progress("waiting for the report", 0)
	defer waiting.Done()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case m := <-v.messages:
			report := &order.Report{}
			if m.Topic != topic || len(m.Payload) == 0 || order.Parse(m.Payload, report) != nil {
				continue
			}
			refused := report.Refused != "" && report.Asked == generation
			if refused || report.Term == 0 && report.Generation == generation && report.Refused == "" && ended(report) {
				return report, nil
			}
		case <-tick.C:
			waiting.Step(int(time.Since(began).Seconds()))
		case <-ctx.Done():
			err := fmt.Errorf("generation %d is given to %s: %w", generation, c.NodeID, context.Cause(ctx))
			return nil, fail(exitTimeout, err,
				"the order stays at the broker; edge-agent fleet watch shows the report when it comes")
		}
	}
}

// ended reports whether nothing more is to be expected soon.
func ended(r *order.Report) bool {
	switch {
	case r.Wanted == order.Gone:
		return r.State == order.Forgotten
	case r.Wanted == order.Stop:
		return !r.State.Live()
	}
	return !slices.Contains([]order.Phase{order.Starting, order.Draining, order.Restarting}, r.State)
}

// verdictOf turns a report into the end of the program.
func verdictOf(r *order.Report) error {
	switch {
	case r.Refused != "":
		return fail(exitRefused, fmt.Errorf("the node refuses: %s", refusalWords(r)), refusalHint(r.Refused))
	case slices.Contains([]order.Phase{order.Failed, order.CrashLoop, order.Quarantined}, r.State):
		return fail(exitFailed, fmt.Errorf("the daemon is %s: %s", r.State, r.Error), "the node's log says more")
	}
	return nil
}

func refusalWords(r *order.Report) string {
	words := []string{string(r.Refused)}
	if r.Error != "" {
		words = append(words, r.Error)
	}
	for _, m := range r.Mistakes {
		words = append(words, m.String())
	}
	return strings.Join(words, "\n  ")
}

func refusalHint(r order.Refusal) string {
	switch r {
	case order.StaleTerm:
		return "a controller rules this daemon; --force takes it over by hand"
	case order.Conflict, order.Stale:
		return "give the order again: the next generation is then above what the node has seen"
	case order.DeclaredLocally:
		return "it stands in the node's own configuration file: change it there"
	case order.Unmet:
		return "edge-agent fleet nodes lists other nodes"
	case order.UnknownKind, order.Invalid:
		return "edge-agent kinds lists kinds and their settings"
	}
	return ""
}

func reportTable(g given) *table {
	t := newTable("field", "value")
	r := g.Report
	t.Row("node", string(g.Node))
	t.Row("daemon", string(g.Daemon))
	t.Row("state", string(r.State))
	t.Row("generation", fmt.Sprint(r.Generation))
	t.Row("epoch", fmt.Sprint(r.Epoch))
	if r.Durability != (order.Durability{}) {
		t.Row("durability", r.Durability)
	}
	for _, p := range r.Inputs {
		t.Row(p.Input, string(p.Guarantee)+": "+p.Why)
	}
	for _, need := range r.Unmet {
		t.Row("unmet", need.Term+": "+need.Change)
	}
	return t
}
