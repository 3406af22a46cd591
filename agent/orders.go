package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// read takes up one control document.
func (k *keeper) read(ctx context.Context, d Document) {
	node := k.o.Identity.Node
	switch d.Topic {
	case k.topics.Commands(node):
		k.command(ctx, d)
	case k.topics.Presence(node):
		k.meetSelf(d)
	default:
		name := strings.TrimPrefix(d.Topic, k.topics.Assigned(node, ""))
		id, err := mesh.ParseDaemonID(name)
		if err != nil {
			k.o.Log.Warn("an order for a daemon that cannot exist", "topic", d.Topic, "error", err)
			return
		}
		k.assigned(ctx, id, d)
	}
}

// assigned takes up an order about one daemon. Nothing is obeyed before it has been judged, tried and written.
func (k *keeper) assigned(ctx context.Context, id mesh.DaemonID, doc Document) {
	d := k.daemons[id]
	if len(doc.Payload) == 0 {
		if d != nil && d.phase == order.Forgotten && !doc.Retained {
			k.strike(d)
		}
		return
	}
	var a order.Assignment
	err := order.Parse(doc.Payload, &a)
	if d == nil {
		if len(k.daemons) >= MaxDaemons {
			k.o.Log.Error("too many daemons; the order is left alone", "daemon", id, "limit", MaxDaemons)
			return
		}
		d = &daemon{id: id, phase: order.Failed}
		k.daemons[id] = d
	}
	if err != nil {
		r := refusal{reason: order.Invalid, text: err.Error()}
		errors.As(err, &r.mistakes)
		k.refuse(d, a, r)
		return
	}
	k.weigh(ctx, d, a)
}

// weigh judges an order that could be read.
func (k *keeper) weigh(ctx context.Context, d *daemon, a order.Assignment) {
	held := d.held
	held.Seen = k.seen
	verdict := held.Judge(a)
	switch {
	case d.declared && d.phase != order.Forgotten:
		k.refuse(d, a, refusal{reason: order.DeclaredLocally, text: "this daemon is declared in the node's configuration file"})
	case verdict.Action == order.Refuse:
		k.refuse(d, a, refusal{
			reason: verdict.Reason, seen: verdict.Seen,
			text: fmt.Sprintf("%s: this node has seen %d", verdict.Reason, verdict.Seen),
		})
	case a.State == order.Standby || a.State == order.Frozen:
		k.refuse(d, a, refusal{
			reason: order.Unsupported, text: fmt.Sprintf("state %s needs a fleet's controller, which this agent does not know", a.State),
		})
	case verdict.Action == order.Repeat:
		d.refusal = refusal{}
		k.changed[d.id] = true
	case d.busy:
		d.next = &a
	case a.State == order.Run:
		k.try(ctx, d, a, verdict)
	default:
		k.accept(d, a, verdict)
	}
}

// try builds a daemon to see whether the order can be carried out, before it takes the place of the one before.
func (k *keeper) try(ctx context.Context, d *daemon, a order.Assignment, v order.Verdict) {
	kind, ok := k.kinds[a.Spec.Kind]
	if !ok {
		k.refuse(d, a, refusal{
			reason: order.UnknownKind, text: fmt.Sprintf("this agent has no kind %q; edge-agent kinds lists those it has", a.Spec.Kind),
		})
		return
	}
	b := blueprint{id: d.id, kind: kind, spec: a.Spec.Filled(d.id, kind.Stateful), caps: k.caps.Set, epoch: v.Epoch}
	k.work(d, func() func() {
		_, err := within(ctx, startLimit, func() (mesh.Daemon, error) { return k.build(b) })
		if err == nil {
			_, err = k.plan(b, restored{}, false)
		}
		return func() {
			var unmet *unmetError
			switch {
			case errors.As(err, &unmet):
				k.refuse(d, a, refusal{reason: order.Unmet, text: err.Error(), unmet: unmet.unmet, assignment: &a})
			case err != nil:
				k.refuse(d, a, refusal{reason: order.Invalid, text: err.Error()})
			default:
				k.accept(d, a, v)
			}
		}
	})
}

// accept writes an order and makes it what is wanted; reconcile does the rest.
func (k *keeper) accept(d *daemon, a order.Assignment, v order.Verdict) {
	before := *d
	if a.State != order.Run && a.Spec.Kind == "" {
		a.Spec = d.want.Spec
	}
	held := d.held
	held.Seen = k.seen
	d.held, d.want, d.refusal, d.declared = held.After(a, v), a, refusal{}, false
	if a.Force || a.State == order.Run && before.want.Spec.Kind != a.Spec.Kind {
		d.quarantined = false
	}
	if kind, ok := k.kinds[a.Spec.Kind]; ok && a.State == order.Run {
		d.kind, d.spec = kind, a.Spec.Filled(d.id, kind.Stateful)
	}
	if d.phase == order.Failed || d.phase == order.Stopped || d.phase == order.Forgotten {
		d.phase, d.reason, d.unmet = order.Starting, "", nil
		if a.State != order.Run {
			d.phase = order.Stopped
		}
	}
	d.retryAt, d.leaving, d.drained = 0, 0, false
	k.changed[d.id] = true
	if err := k.keep(d); err != nil {
		*d = before
		k.refuse(d, a, refusal{reason: order.Invalid, text: "the order could not be written: " + err.Error()})
		return
	}
	k.seen = max(k.seen, d.held.Seen)
	k.o.Log.Info("order taken up", "daemon", d.id, "state", a.State, "generation", a.Generation, "epoch", d.held.Epoch)
}

// refuse answers an order that is not taken up; what runs goes on.
func (k *keeper) refuse(d *daemon, a order.Assignment, r refusal) {
	r.term, r.gen = a.Term, a.Generation
	d.refusal = r
	k.changed[d.id] = true
	k.o.Log.Warn("order refused", "daemon", d.id, "reason", r.reason, "error", r.text)
}

// keep writes what is known of a daemon.
func (k *keeper) keep(d *daemon) error {
	data, err := d.record()
	if err != nil {
		return err
	}
	return k.o.Store.Put(ordersBucket, string(d.id), data)
}

// strike forgets that a daemon ever was here.
func (k *keeper) strike(d *daemon) {
	if err := k.o.Store.Delete(ordersBucket, string(d.id)); err != nil {
		k.o.Log.Error("forgetting a daemon that is gone", "daemon", d.id, "error", err)
		return
	}
	delete(k.daemons, d.id)
	delete(k.changed, d.id)
	k.publish(k.topics.Report(k.o.Identity.Node, d.id), 1, true, nil)
}

// declare makes the daemons of the configuration file what is wanted.
func (k *keeper) declare() {
	for id, spec := range k.o.Declared {
		d := k.daemons[id]
		if d == nil {
			d = &daemon{id: id, phase: order.Starting}
			k.daemons[id] = d
		}
		a := order.Assignment{Generation: d.held.Generation, State: order.Run, Spec: spec}
		if a.Generation == 0 || a.Body() != d.held.Body {
			a.Generation++
		}
		kind, ok := k.kinds[spec.Kind]
		if !ok {
			d.phase, d.reason = order.Failed, "this agent has no kind "+spec.Kind
			continue
		}
		if d.phase != order.Starting || d.want.State != order.Run {
			d.phase = order.Starting
		}
		d.declared, d.want = true, a
		d.held = order.Held{
			Term: 0, Generation: a.Generation, Epoch: max(d.held.Epoch, 1), Body: a.Body(), Seen: d.held.Seen,
		}
		d.kind, d.spec, d.reason = kind, spec.Filled(id, kind.Stateful), ""
		if err := k.keep(d); err != nil {
			k.o.Log.Error("keeping a declared daemon", "daemon", id, "error", err)
		}
	}
}

// setMachine takes up what the machine has become: caps are published anew, and orders that the machine did not meet
// are weighed again.
func (k *keeper) setMachine(m Machine) {
	k.caps = m
	k.announceCaps()
	for _, d := range k.daemons {
		switch {
		case d.refusal.assignment != nil:
			a := *d.refusal.assignment
			d.refusal = refusal{}
			d.next = &a
		case d.phase == order.Failed && len(d.unmet) > 0:
			d.phase, d.retryAt = order.Restarting, 0
		}
	}
}
