package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// reading is what one look at the node gave.
type reading struct {
	stats  dispatch.Stats
	gauges Gauges
	outbox OutboxState
}

// measure reads the loop's figures beside the keeper and publishes the heartbeat; reports whose figures moved are
// written again.
func (k *keeper) measure(ctx context.Context) {
	if k.measuring {
		return
	}
	k.measuring = true
	k.jobs.Go(func() {
		stats, err := k.host.Stats(ctx)
		r := reading{stats: stats, gauges: k.o.Gauges(), outbox: k.o.Store.Outbox()}
		k.results <- func() {
			k.measuring = false
			if err == nil {
				k.measured(r)
			}
		}
	})
}

func (k *keeper) measured(r reading) {
	for _, s := range r.stats.Daemons {
		d := k.daemons[s.ID]
		if d == nil {
			continue
		}
		if !d.stats.read || s.Events != d.stats.Events || s.Head != d.stats.Head || s.Inbox != d.stats.Inbox {
			k.changed[d.id] = true
		}
		k.press(d, s)
		d.stats = figures{s, true}
	}
	k.last = r
	if !k.o.Bus.Connected() {
		return
	}
	k.publishDocument(k.topics.Heartbeat(k.o.Identity.Node), 0, false, k.heartbeat(r))
}

func (k *keeper) heartbeat(r reading) *order.Heartbeat {
	h := &order.Heartbeat{
		Uptime: uint64((k.now() - k.began).Seconds()), Saturation: k.saturation(), Health: *order.HealthOf(k.health()),
		Free: r.gauges.Free, Gauges: r.gauges.Values, Daemons: k.digest(), Time: k.wall(),
		Outbox: order.Outbox{Rows: r.outbox.Rows, Bytes: r.outbox.Bytes, AgeMS: r.outbox.AgeMS},
		Stats: map[string]uint64{
			"groups": r.stats.Groups, "unmatched": r.stats.Unmatched, "unclaimed": r.stats.Unclaimed,
			"withheld": r.stats.Withheld, "abandoned": r.stats.Abandoned, "documents_dropped": k.mail.lost(),
		},
	}
	return h
}

// digest sums up what runs here: a controller that knows another digest asks for the reports.
func (k *keeper) digest() string {
	hash := sha256.New()
	for _, d := range k.sorted() {
		fmt.Fprintf(hash, "%s\x00%d\x00%s\n", d.id, d.held.Generation, d.phase)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// saturation is that of the fullest daemon.
func (k *keeper) saturation() (most float64) {
	for _, d := range k.daemons {
		if d.hosted {
			most = max(most, d.vitals.saturation)
		}
	}
	return most
}

// health is the node's: as bad as what it keeps for itself, and degraded while a daemon is not as wanted.
func (k *keeper) health() mesh.Health {
	if k.reopening {
		return mesh.Health{Level: mesh.Unhealthy, Reason: "the store failed: durable daemons wait"}
	}
	var worst mesh.Health
	if k.alarm != "" {
		worst = mesh.Health{Level: mesh.Degraded, Reason: "alarm: " + k.alarm}
	}
	for _, d := range k.sorted() {
		reason := ""
		switch {
		case d.phase == order.Failed && d.want.State == order.Run, d.phase == order.CrashLoop, d.phase == order.Quarantined:
			reason = fmt.Sprintf("daemon %s is %s: %s", d.id, d.phase, d.reason)
		case d.hosted && d.health().Level != mesh.Healthy:
			reason = fmt.Sprintf("daemon %s is %s: %s", d.id, d.health().Level, d.health().Reason)
		}
		if reason != "" && worst.Level == mesh.Healthy {
			worst = mesh.Health{Level: mesh.Degraded, Reason: reason}
		}
	}
	return worst
}

// The fill of an inbox at which a daemon is asked to slow down, and at which it may go on at full speed.
const pressAt, easeAt = 0.5, 0.2

// press tells a daemon how full its inbox is, in steps of a tenth so that it is not told all the time.
func (k *keeper) press(d *daemon, s dispatch.DaemonStats) {
	limit := max(int(d.spec.Inbox.MaxEvents), 1)
	fill := float64(s.Inbox) / float64(limit)
	level := float32(int(fill*10)) / 10
	switch {
	case fill >= pressAt && level != d.pressure:
		d.pressure = level
		k.control(d, mesh.Control{Signal: mesh.BackpressureOn, Level: min(level, 1)})
	case fill <= easeAt && d.pressure > 0:
		d.pressure = 0
		k.control(d, mesh.Control{Signal: mesh.BackpressureOff})
	}
}

func (k *keeper) control(d *daemon, c mesh.Control) {
	if err := k.host.Control(d.id, c); err != nil {
		k.o.Log.Warn("a daemon could not be told", "daemon", d.id, "signal", c.Signal, "error", err)
	}
}
