package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// incarnationsBucket counts the starts of volatile daemons, whose chains begin anew each time.
const incarnationsBucket = "incarnations"

func (k *keeper) blueprint(d *daemon) blueprint {
	return blueprint{
		id: d.id, kind: d.kind, spec: d.spec, caps: k.caps.Set, epoch: d.held.Epoch, force: d.want.Force,
	}
}

// launch restores a daemon from the store and gives it to the loop.
func (k *keeper) launch(ctx context.Context, d *daemon) {
	b, target, careful := k.blueprint(d), d.target(), k.o.Careful
	d.phase = order.Starting
	k.changed[d.id] = true
	k.work(d, func() func() {
		r, name, err := k.bring(ctx, b)
		if err == nil {
			var spec dispatch.Spec
			if spec, err = k.plan(b, r, careful); err == nil {
				err = k.host.Add(ctx, spec)
			}
		}
		return func() { k.launched(d, r, name, target, err) }
	})
}

// bring restores a daemon, with a new incarnation if it is volatile.
func (k *keeper) bring(ctx context.Context, b blueprint) (r restored, name string, err error) {
	if b.spec.Durability.Volatile() {
		n, err := k.o.Store.Increment(incarnationsBucket, string(b.id), 0)
		if err != nil {
			return r, "", fmt.Errorf("counting the incarnation: %w", err)
		}
		b.incarnation = uint32(n)
	}
	r, err = within(ctx, startLimit, func() (restored, error) { return k.restore(b) })
	if err != nil {
		return r, "", err
	}
	name, err = within(ctx, startLimit, func() (name string, err error) {
		defer recovered(&err)
		return r.daemon.Name(), nil
	})
	return r, name, err
}

// launched is what a launch came to.
func (k *keeper) launched(d *daemon, r restored, name, target string, err error) {
	d.tried = true
	k.resume(d)
	if err != nil {
		k.failed(d, err)
		return
	}
	_, health := r.daemon.(mesh.HealthReporter)
	_, load := r.daemon.(mesh.SaturationReporter)
	d.hosted, d.crashed, d.running, d.name = true, false, target, name
	d.reports, d.unsteady, d.vitals = health || load, r.unsteady, vitals{}
	d.phase, d.reason, d.unmet = order.Running, "", nil
	d.inputs = d.spec.Promises()
	if r.unsteady {
		d.reason = "nondeterministic: its replay differed; it is kept at every step"
	}
	k.listen()
	k.o.Log.Info("daemon runs", "daemon", d.id, "kind", d.kind.Name, "name", name, "epoch", d.held.Epoch)
	k.tell(d, order.Registered, "")
}

// failed decides what a daemon that could not be started does next.
func (k *keeper) failed(d *daemon, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	d.reason = err.Error()
	for _, kind := range []error{mesh.ErrRestore, mesh.ErrProcess, mesh.ErrTooLarge, mesh.ErrRunning, mesh.ErrNotFound} {
		if errors.Is(err, kind) {
			d.counts.count(kind)
		}
	}
	var unmet *unmetError
	switch {
	case errors.As(err, &unmet):
		d.phase, d.unmet = order.Failed, unmet.unmet
	case errors.Is(err, mesh.ErrRestore):
		d.phase = order.Failed
	default:
		d.phase = order.Restarting
		wait, _ := d.restarts.crash(k.now(), k.jitter)
		d.retryAt = k.now() + wait
	}
	k.o.Log.Error("daemon could not be started", "daemon", d.id, "state", d.phase, "error", err)
}

// revive gives a crashed daemon a new instance, restored from what is on disk.
func (k *keeper) revive(ctx context.Context, d *daemon) {
	if d.running != d.target() {
		k.relaunch(ctx, d)
		return
	}
	b := k.blueprint(d)
	k.work(d, func() func() {
		r, _, err := k.bring(ctx, b)
		if err == nil {
			err = k.host.Replace(ctx, b.id, r.daemon, r.ledger.Head())
		}
		return func() {
			if err != nil {
				k.failed(d, err)
				d.phase = order.Restarting
				return
			}
			d.crashed, d.vitals = false, vitals{}
			d.phase, d.reason = order.Running, ""
			d.counts.restarts++
		}
	})
}

// relaunch ends a daemon behind a snapshot and starts it as it is wanted now. No input is taken meanwhile: it would be
// for nobody, and be acknowledged.
func (k *keeper) relaunch(ctx context.Context, d *daemon) {
	d.phase = order.Restarting
	k.pause(d)
	k.remove(ctx, d, func(err error) {
		if err != nil {
			k.resume(d)
			k.failed(d, fmt.Errorf("stopping it to start it anew: %w", err))
			return
		}
		d.retryAt = 0
	})
}

// pause keeps inputs with the connection until the daemon is back; resume ends that.
func (k *keeper) pause(d *daemon) { k.setPaused(d, true) }

func (k *keeper) resume(d *daemon) { k.setPaused(d, false) }

func (k *keeper) setPaused(d *daemon, paused bool) {
	if d.paused == paused {
		return
	}
	d.paused = paused
	k.gate.Lock()
	defer k.gate.Unlock()
	if paused {
		k.paused++
	} else {
		k.paused--
	}
}

// quiet waits until the loop has taken every input that was handed to it before.
func (a *Agent) quiet(ctx context.Context) error {
	for {
		stats, err := a.host.Stats(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(stats.Lanes, func(l dispatch.LaneStats) bool { return l.Depth > 0 }) {
			return nil
		}
		sleep(ctx, time.Millisecond)
	}
}

// halt ends a daemon because its order says so.
func (k *keeper) halt(ctx context.Context, d *daemon) {
	k.remove(ctx, d, func(err error) {
		if err != nil {
			d.reason = "stopped without a last snapshot: " + err.Error()
		}
		if !d.quarantined {
			d.phase = order.Stopped
		}
		k.tell(d, order.Unregistered, d.reason)
		k.listen()
	})
}

// remove tells a daemon to end and takes it from the loop; past the grace the loop fences it.
func (k *keeper) remove(ctx context.Context, d *daemon, then func(error)) {
	id, grace, paused := d.id, k.o.Grace, d.paused
	k.changed[id] = true
	k.work(d, func() func() {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		err := k.host.Control(id, mesh.Control{Signal: mesh.Shutdown, Grace: grace})
		if err == nil && paused {
			err = k.quiet(ctx)
		}
		if err == nil {
			_, err = k.host.Remove(ctx, id)
		}
		return func() {
			if err == nil || errors.Is(err, mesh.ErrNotFound) {
				d.hosted, d.crashed, d.running = false, false, ""
				err = nil
			} else {
				d.retryAt = k.now() + time.Second
			}
			then(err)
		}
	})
}

// forget ends the last trace of a daemon once its outputs are delivered.
func (k *keeper) forget(ctx context.Context, d *daemon) {
	if k.o.Store.Waiting(d.id) > 0 {
		d.reason = "its last outputs wait for the broker"
		return
	}
	k.work(d, func() func() {
		err := k.bury(d.id)
		return func() {
			if err != nil {
				d.reason = "could not be forgotten: " + err.Error()
				return
			}
			d.phase, d.reason = order.Forgotten, ""
			if err := k.keep(d); err != nil {
				k.o.Log.Error("keeping that a daemon is gone", "daemon", d.id, "error", err)
			}
		}
	})
}

// bury keeps a daemon's last snapshot beside the store and drops the rest.
func (a *Agent) bury(id mesh.DaemonID) error {
	snapshot, ok, err := a.o.Store.Load(id)
	if err != nil {
		return err
	}
	if ok && a.o.Export != nil {
		if err := a.o.Export(id, snapshot); err != nil {
			return fmt.Errorf("keeping its last snapshot: %w", err)
		}
	}
	return a.o.Store.Forget(id)
}
