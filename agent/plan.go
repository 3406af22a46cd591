package agent

import (
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// plan translates a daemon's order into what the loop runs.
func (a *Agent) plan(b blueprint, r restored, careful bool) (dispatch.Spec, error) {
	spec := dispatch.Spec{
		ID: b.id, Daemon: r.daemon, Kind: b.kind.Name, Schema: b.kind.Schema, Ledger: r.ledger, Givens: r.givens,
		Inbox:  dispatch.Inbox{MaxEvents: int(b.spec.Inbox.MaxEvents), MaxBytes: int(b.spec.Inbox.MaxBytes)},
		Strict: b.spec.OnPoison == order.PoisonRetry, Careful: careful,
		Snapshot: dispatch.SnapshotPolicy{
			Events: int(b.spec.Snapshot.Events), Every: time.Duration(b.spec.Snapshot.Every),
			EveryStep: b.spec.Snapshot.EveryStep || r.unsteady,
		},
	}
	switch wait := b.spec.Durability.Wait(); {
	case b.spec.Durability.Volatile():
		spec.Durability = dispatch.Volatile
	case wait > 0:
		spec.Durability, spec.Window = dispatch.Window, wait
	}
	for i, in := range b.spec.Inputs {
		binding, err := a.binding(in)
		if err != nil {
			return spec, fmt.Errorf("spec.inputs[%d]: %w", i, err)
		}
		spec.Bindings = append(spec.Bindings, binding)
	}
	for _, out := range b.spec.Outputs {
		topic := a.topics.Absolute(out.Topic)
		if out.To != order.ToLocal {
			spec.Sends = append(spec.Sends, mesh.Send{
				Topic: topic, QoS: out.QoS.Level(), Retained: out.Retained, Format: out.Format.Mesh(),
			})
		}
		if out.To != order.ToBroker && spec.Local == "" {
			spec.Local = topic
		}
	}
	return spec, nil
}

func (a *Agent) binding(in order.Input) (dispatch.Binding, error) {
	switch {
	case in.Source.Machine:
		return dispatch.Binding{Machine: true}, nil
	case in.Every > 0:
		return dispatch.Binding{Every: int64(in.Every)}, nil
	}
	b := dispatch.Binding{Filter: in.Topic, From: in.Daemon, Hold: int64(in.Reorder.Hold())}
	if in.Daemon != "" {
		b.Filter = a.topics.Outputs(in.Daemon)
		in.Format = order.Causal
	}
	switch in.Retained {
	case order.RetainedSkip:
		b.Retained = dispatch.Skip
	case order.RetainedEvery:
		b.Retained = dispatch.Every
	}
	decode, err := a.o.Decode(in)
	b.Decode = decode
	return b, err
}

// subscriptions are the topics that a daemon's bindings need from the broker. The outputs of a daemon of this node are
// taken from memory.
func (a *Agent) subscriptions(spec order.Spec, local func(mesh.DaemonID) bool) []Subscription {
	var subs []Subscription
	for _, in := range spec.Inputs {
		switch {
		case in.Topic != "":
			subs = append(subs, Subscription{Filter: in.Topic, QoS: in.QoS.Level()})
		case in.Daemon != "" && !local(in.Daemon):
			subs = append(subs, Subscription{Filter: a.topics.Outputs(in.Daemon), QoS: 1})
		}
	}
	return subs
}
