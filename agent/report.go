package agent

import (
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// figures are what the loop counts of a daemon, as last read.
type figures struct {
	dispatch.DaemonStats
	read bool
}

// report publishes what became of a daemon's order.
func (k *keeper) report(d *daemon) {
	if d == nil {
		return
	}
	k.publishDocument(k.topics.Report(k.o.Identity.Node, d.id), 1, true, k.reportOf(d))
}

func (k *keeper) reportOf(d *daemon) *order.Report {
	r := &order.Report{
		Term: d.held.Term, Generation: d.held.Generation, Epoch: d.held.Epoch, State: d.phase, Wanted: d.want.State,
		Kind: d.want.Spec.Kind, Name: d.name, Error: d.reason, Body: d.held.Body,
		Durability: d.spec.Durability, Inputs: d.inputs, Time: k.wall(),
	}
	for _, stranger := range order.Strangers(&d.want) {
		r.Ignored = append(r.Ignored, stranger.Path)
	}
	unmet := d.unmet
	if x := d.refusal; x.reason != "" {
		r.Refused, r.Asked, r.Seen, r.Error, r.Mistakes = x.reason, x.gen, x.seen, x.text, x.mistakes
		unmet = append(x.unmet, unmet...)
		if d.held.Generation == 0 {
			r.Term, r.Generation = x.term, x.gen
		}
	}
	if len(unmet) > 0 {
		r.Unmet = order.NeedsOf(unmet)
	}
	if d.stats.read {
		r.Head = order.HeadOf(d.stats.Head)
		r.Stats = d.figures()
	}
	if d.vitals.sampled {
		r.Health, r.Saturation = order.HealthOf(d.health()), d.vitals.saturation
	} else if d.hosted {
		r.Health = order.HealthOf(d.health())
	}
	return r
}

// health is a daemon's own view, or worse where the node sees more.
func (d *daemon) health() mesh.Health {
	h := d.vitals.health
	degrade := func(reason string) {
		if h.Level == mesh.Healthy {
			h = mesh.Health{Level: mesh.Degraded, Reason: reason}
		}
	}
	switch {
	case d.crashed:
		degrade("crashed and not back yet")
	case d.unsteady:
		degrade("nondeterministic: its replay differed")
	case d.stats.Slow > d.stats.Events/100 && d.stats.Slow > 0:
		degrade("Process often takes longer than its budget")
	}
	return h
}

// figures are a daemon's counters by name.
func (d *daemon) figures() map[string]uint64 {
	s := d.stats
	all := map[string]uint64{
		"events": s.Events, "outputs": s.Outputs, "failed": s.Failed, "crashes": s.Crashes, "poisoned": s.Poisoned,
		"slow": s.Slow, "duplicate": s.Duplicate, "late": s.Late, "undecoded": s.Undecoded, "repeated": s.Repeated,
		"dropped": s.Dropped, "rejected": s.Rejected, "spilled": s.Spilled, "inbox": uint64(s.Inbox),
		"forgotten_sources": s.Forgotten, "inbox_bytes": uint64(s.InboxBytes), "tasks": uint64(s.Tasks), "restarts": d.counts.restarts,
		"gaps": d.counts.gaps, "snapshot_errors": d.counts.snapshotErrors,
		"process_p50_ns": uint64(s.Process.P50), "process_p99_ns": uint64(s.Process.P99),
		"process_max_ns": uint64(s.Process.Max),
	}
	for name, n := range all {
		if n == 0 {
			delete(all, name)
		}
	}
	return all
}

// tell publishes what happened to a daemon.
func (k *keeper) tell(d *daemon, event order.Happening, reason string) {
	k.publishDocument(k.topics.Lifecycle(k.o.Identity.Node), 1, false, &order.Lifecycle{
		Daemon: d.id, Event: event, Reason: reason, Health: order.HealthOf(d.health()),
		Saturation: d.vitals.saturation, Time: k.wall(),
	})
}

// publishGaps names the outputs that were given up, outside their chains.
func (k *keeper) publishGaps() {
	if k.reopening {
		return
	}
	gaps, err := k.o.Store.Gaps()
	if err != nil {
		k.o.Log.Error("reading the gaps in what was sent", "error", err)
		return
	}
	for _, g := range gaps {
		sent := k.publishDocument(k.topics.Gaps(g.Daemon), 1, false, &order.Gap{
			Daemon: g.Daemon, Epoch: g.Epoch, Incarnation: g.Incarnation, From: g.From, To: g.To, Reason: g.Reason,
			Time: k.wall(),
		})
		if !sent || !k.o.Bus.Connected() {
			return
		}
		if err := k.o.Store.GapDone(g); err != nil {
			k.o.Log.Error("forgetting a gap that was published", "daemon", g.Daemon, "error", err)
			return
		}
	}
}

// publishDocument hands a document to the bus and reports whether it was taken.
func (k *keeper) publishDocument(topic string, qos byte, retained bool, doc order.Document) bool {
	data, err := order.Encode(doc)
	if err != nil {
		k.o.Log.Error("a document of our own cannot be written", "topic", topic, "error", err)
		return false
	}
	return k.publish(topic, qos, retained, data)
}

func (k *keeper) publish(topic string, qos byte, retained bool, data []byte) bool {
	if err := k.o.Bus.Publish(topic, qos, retained, data); err != nil {
		k.o.Log.Warn("a document could not be handed over", "topic", topic, "error", err)
		return false
	}
	return true
}

func (k *keeper) wall() string {
	return time.Unix(0, k.clock.Wall()).UTC().Format(time.RFC3339)
}
