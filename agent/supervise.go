package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// crash takes up that the loop has lost a daemon's instance.
func (k *keeper) crash(d *daemon, c dispatch.Crash) {
	if !d.hosted {
		return
	}
	d.counts.crashes++
	d.counts.count(mesh.ErrProcess)
	d.crashed = true
	reason := c.Reason
	if c.Poison {
		d.counts.poisoned++
		reason += fmt.Sprintf("; the event was set aside after %d attempts", c.Attempt)
	}
	k.o.Log.Error("daemon crashed", "daemon", d.id, "reason", reason, "attempt", c.Attempt, "stack", string(c.Stack))
	wait, looping := d.restarts.crash(k.now(), k.jitter)
	d.retryAt = k.now() + wait
	d.phase, d.reason = order.Restarting, "crashed: "+reason
	if looping {
		d.phase = order.CrashLoop
	}
	k.changed[d.id] = true
	k.tell(d, order.Crashed, reason)
}

// quarantine puts a daemon away whose call never returned, and has the process replaced to be rid of its goroutine.
func (k *keeper) quarantine(id mesh.DaemonID) {
	reason := "quarantined: a call of the daemon did not return"
	if d := k.daemons[id]; d != nil {
		d.quarantined, d.phase, d.reason = true, order.Quarantined, reason
		if err := k.keep(d); err != nil {
			k.o.Log.Error("keeping that a daemon is quarantined", "daemon", id, "error", err)
			return
		}
		k.report(d)
	}
	k.o.Log.Error("a daemon does not return; the agent starts afresh without it", "daemon", id)
	if k.o.Reexec != nil {
		k.o.Reexec("daemon " + string(id) + " did not return")
	}
}

// reopen reads the store again after a failed commit, over and over until it can, and then brings every durable daemon
// back from what the store holds.
func (k *keeper) reopen(ctx context.Context, cause error) {
	if k.reopening {
		return
	}
	k.reopening = true
	k.o.Log.Error("the store failed; durable daemons wait until it can be read again", "error", cause)
	for _, d := range k.daemons {
		if d.hosted && !d.spec.Durability.Volatile() {
			d.phase, d.reason = order.Restarting, "the store failed: "+cause.Error()
			k.changed[d.id] = true
		}
	}
	k.jobs.Go(func() {
		pause := 100 * time.Millisecond
		for {
			err := k.o.Store.Reopen(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			k.o.Log.Error("the store cannot be read yet", "error", err, "next", pause)
			sleep(ctx, pause)
			pause = min(2*pause, 10*time.Second)
		}
		// What comes while a daemon is away would be nobody's, and be acknowledged.
		k.o.Bus.Hold()
		var removed []mesh.DaemonID
		if stats, err := k.host.Stats(ctx); err == nil {
			for _, s := range stats.Daemons {
				if s.Phase == dispatch.Failed {
					if _, err := k.host.Remove(ctx, s.ID); err == nil {
						removed = append(removed, s.ID)
					}
				}
			}
		}
		k.results <- func() { k.reopened(removed) }
	})
}

func (k *keeper) reopened(removed []mesh.DaemonID) {
	k.reopening, k.holding = false, true
	k.o.Log.Info("the store is read again", "daemons", len(removed))
	for _, id := range removed {
		if d := k.daemons[id]; d != nil {
			d.hosted, d.crashed, d.running, d.retryAt = false, false, "", 0
		}
	}
}

// release lets the broker come again once every daemon is back, or has failed to.
func (k *keeper) release() {
	if !k.holding || k.reopening {
		return
	}
	for _, d := range k.daemons {
		if d.busy || d.shouldRun() && !d.hosted && d.phase != order.Failed && d.retryAt <= k.now() {
			return
		}
	}
	k.holding = false
	k.o.Bus.Release()
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pollAtOnce is how many daemons are asked in one visit to the loop, which serves events in between.
const pollAtOnce = 32

// poll asks the daemons that have something to say for their health and saturation, one round at a time.
func (k *keeper) poll(ctx context.Context) {
	if k.polling {
		return
	}
	var due []mesh.DaemonID
	for _, d := range k.daemons {
		if d.hosted && d.reports && !d.crashed && !d.busy && d.vitals.due() {
			due = append(due, d.id)
		}
	}
	if len(due) == 0 {
		return
	}
	k.polling = true
	k.jobs.Go(func() {
		for ids := range slices.Chunk(due, pollAtOnce) {
			samples, err := k.host.PollEach(ctx, ids)
			if err != nil {
				k.o.Log.Debug("daemons did not say how they are", "error", err)
				continue
			}
			k.notices.add(func(g *gathered) { maps.Copy(g.samples, samples) })
		}
		k.results <- func() { k.polling = false }
	})
}

// sampled takes up what a daemon said about itself.
func (k *keeper) sampled(d *daemon, s dispatch.Sample) {
	health, load := d.vitals.sample(s.Health, s.Saturation, s.Invalid, max(s.HealthTook, s.SaturationTook), k.now())
	if health {
		k.o.Log.Info("daemon's health changed", "daemon", d.id, "health", s.Health.Level, "reason", s.Health.Reason)
		k.tell(d, order.HealthChanged, s.Health.Reason)
	}
	if load {
		k.tell(d, order.SaturationChanged, "")
	}
	if health || load {
		k.changed[d.id] = true
	}
}

// ration has daemons take snapshots when the journal needs room.
func (k *keeper) ration(ctx context.Context) {
	if k.reopening {
		return
	}
	for _, id := range k.o.Store.Oldest() {
		d := k.daemons[id]
		if d == nil || !d.hosted || d.crashed || d.busy {
			continue
		}
		k.work(d, func() func() {
			err := k.host.Snapshot(ctx, id)
			return func() {
				if err != nil {
					k.o.Log.Warn("snapshot to make room in the journal failed", "daemon", id, "error", err)
				}
			}
		})
	}
}

// leave ends everything: each daemon behind a last snapshot, then the node's presence.
func (k *keeper) leave() error {
	k.leaving = true
	k.o.Bus.Release()
	k.life.set(order.Down)
	ctx, cancel := context.WithTimeout(context.Background(), k.o.Grace)
	defer cancel()
	var left int
	for _, d := range k.daemons {
		if d.hosted {
			left++
		}
	}
	for busy := k.busy(); left > 0 || busy > 0; busy = k.busy() {
		for _, d := range k.daemons {
			if d.hosted && !d.busy && ctx.Err() == nil {
				k.remove(ctx, d, func(err error) {
					left--
					if err != nil {
						k.o.Log.Error("daemon stopped without a last snapshot", "daemon", d.id, "error", err)
						d.hosted = false
					}
				})
			}
		}
		select {
		case result := <-k.results:
			result()
		case <-k.notices.wake:
			k.notices.take()
		case f := <-k.asks:
			f(k)
		case <-ctx.Done():
			return fmt.Errorf("%d daemons did not stop within %s", left, k.o.Grace)
		}
	}
	k.announcePresence()
	return nil
}

func (k *keeper) busy() (n int) {
	for _, d := range k.daemons {
		if d.busy {
			n++
		}
	}
	if k.polling || k.reopening {
		n++
	}
	return n
}
