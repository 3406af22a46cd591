package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// maxRemembered bounds the commands whose answers are remembered, so that one sent twice is done once.
const maxRemembered = 256

// commands are the answers to the newest commands.
type commands struct {
	answers map[string]order.Ack
	ids     []string // oldest first
	// draining are the commands that are answered once no daemon drains.
	draining []string
}

// command carries out what is asked for once, and answers.
func (k *keeper) command(ctx context.Context, d Document) {
	if d.Retained || len(d.Payload) == 0 {
		return // a command is for now, not for whoever connects later
	}
	var c order.Command
	if err := order.Parse(d.Payload, &c); err != nil {
		if c.ID != "" && len(c.ID) <= 64 {
			k.answer(c.ID, order.CommandFailed, err.Error())
		}
		k.o.Log.Warn("a command that cannot be read", "error", err)
		return
	}
	if last, ok := k.answers[c.ID]; ok {
		k.publishDocument(k.topics.Ack(k.o.Identity.Node), 1, false, &last)
		return
	}
	if c.Expired(k.trusted()) {
		k.answer(c.ID, order.CommandFailed, "the command expired at "+c.Expires)
		return
	}
	targets, err := k.targets(c.Daemon)
	if err != nil {
		k.answer(c.ID, order.CommandFailed, err.Error())
		return
	}
	switch c.Do {
	case order.DrainNode:
		k.drain(c, targets)
	case order.Restart:
		for _, d := range targets {
			d.quarantined, d.drained, d.running, d.retryAt = false, false, "", 0
			if d.phase == order.Failed {
				d.phase = order.Restarting
			}
		}
		k.answer(c.ID, order.Done, "")
	case order.TakeSnapshot:
		k.snapshot(ctx, c, targets)
	case order.Rebirth:
		k.revised++
		k.announceCaps()
		for id := range k.daemons {
			k.changed[id] = true
		}
		k.answer(c.ID, order.Done, "")
	default:
		k.answer(c.ID, order.CommandFailed, fmt.Sprintf("this agent cannot %s", c.Do))
	}
}

// trusted is the wall clock, or no time where the machine plainly does not know it.
func (k *keeper) trusted() time.Time {
	now := time.Unix(0, k.clock.Wall())
	if now.Year() < 2025 {
		return time.Time{}
	}
	return now
}

// targets are the daemons that a command means: one, or all.
func (k *keeper) targets(id mesh.DaemonID) ([]*daemon, error) {
	if id == "" {
		return k.sorted(), nil
	}
	d := k.daemons[id]
	if d == nil {
		return nil, &mesh.Error{Daemon: id, Kind: mesh.ErrNotFound}
	}
	return []*daemon{d}, nil
}

func (k *keeper) answer(id string, state order.Progress, reason string) {
	ack := order.Ack{ID: id, State: state, Reason: reason, Time: k.wall()}
	if k.answers == nil {
		k.answers = map[string]order.Ack{}
	}
	if _, known := k.answers[id]; !known {
		k.ids = append(k.ids, id)
	}
	if len(k.ids) > maxRemembered {
		delete(k.answers, k.ids[0])
		k.ids = k.ids[1:]
	}
	k.answers[id] = ack
	k.publishDocument(k.topics.Ack(k.o.Identity.Node), 1, false, &ack)
}

func (k *keeper) snapshot(ctx context.Context, c order.Command, targets []*daemon) {
	k.answer(c.ID, order.Executing, "")
	k.jobs.Go(func() {
		var failed error
		for _, d := range targets {
			if err := k.host.Snapshot(ctx, d.id); err != nil && failed == nil && c.Daemon != "" {
				failed = err
			}
		}
		k.results <- func() {
			if failed != nil {
				k.answer(c.ID, order.CommandFailed, failed.Error())
				return
			}
			k.answer(c.ID, order.Done, "")
		}
	})
}

// drain lets daemons finish what waits for them, then ends them until they are ordered or restarted.
func (k *keeper) drain(c order.Command, targets []*daemon) {
	grace := time.Duration(c.Grace)
	if grace <= 0 {
		grace = k.o.Drain
	}
	if c.Daemon == "" {
		k.live(order.Leaving)
	}
	for _, d := range targets {
		if !d.hosted || d.leaving > 0 {
			continue
		}
		if err := k.host.Control(d.id, mesh.Control{Signal: mesh.DrainStart, Grace: grace}); err != nil {
			k.o.Log.Warn("telling a daemon to drain", "daemon", d.id, "error", err)
		}
		d.leaving, d.phase = k.now()+grace, order.Draining
		k.changed[d.id] = true
	}
	k.draining = append(k.draining, c.ID)
	k.answer(c.ID, order.Executing, "")
	k.beat = 0 // fresh figures say who is done
}

// drained ends the daemons whose inputs are done, or whose time is up, and answers once none is left.
func (k *keeper) drained() {
	var left int
	for _, d := range k.daemons {
		if d.leaving == 0 {
			continue
		}
		idle := d.stats.read && d.stats.Inbox == 0 && d.stats.Tasks == 0
		if !idle && k.now() < d.leaving && d.hosted && !d.crashed {
			left++
			continue
		}
		if err := k.host.Control(d.id, mesh.Control{Signal: mesh.DrainFinish}); err != nil {
			k.o.Log.Warn("telling a daemon that its drain is over", "daemon", d.id, "error", err)
		}
		d.leaving, d.drained, d.reason = 0, true, "drained"
		k.changed[d.id] = true
	}
	if left > 0 {
		k.beat = 0
		return
	}
	for _, id := range k.draining {
		k.answer(id, order.Done, "")
	}
	k.draining = nil
}
