package agent

import (
	"log/slog"
	"testing"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// deadBus is a connection to nobody.
type deadBus struct{}

func (deadBus) Subscribe(string, ...Subscription)        {}
func (deadBus) Publish(string, byte, bool, []byte) error { return nil }
func (deadBus) Send(*dispatch.Publication) bool          { return false }
func (deadBus) Connected() bool                          { return false }
func (deadBus) Hold()                                    {}
func (deadBus) Release()                                 {}

func TestCrashBeforeTheKeeperHearsOfTheNewInstanceIsNotLost(t *testing.T) {
	for name, before := range map[string]daemon{
		"brought back":  {id: "d", hosted: true, crashed: true, phase: order.Restarting},
		"first started": {id: "d", phase: order.Starting},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(&Agent{o: Options{Bus: deadBus{}, Log: slog.New(slog.DiscardHandler)}.filled(), topics: "f"})
			d := &before
			k.daemons[d.id] = d
			k.work(d, func() func() {
				return func() { d.hosted, d.crashed, d.phase = true, false, order.Running }
			})
			k.notice(t.Context(), gathered{crashes: map[mesh.DaemonID]dispatch.Crash{"d": {Daemon: "d", Reason: "again"}}})
			(<-k.results)()
			if !d.crashed || d.phase != order.Restarting || d.counts.crashes != 1 {
				t.Errorf("crashed %t, %s, %d crashes; want it restarting", d.crashed, d.phase, d.counts.crashes)
			}
		})
	}
}

func TestAlarmIsInTheHealthOfTheNode(t *testing.T) {
	options := Options{Bus: deadBus{}, Log: slog.New(slog.DiscardHandler)}.filled()
	a := &Agent{o: options, topics: "f", notices: newNotices()}
	k := newKeeper(a)
	if h := k.health(); h.Level != mesh.Healthy {
		t.Errorf("a new node is %s: %s", h.Level, h.Reason)
	}
	a.Alarm("a record was damaged")
	k.notice(t.Context(), a.notices.take())
	if h := k.health(); h.Level != mesh.Degraded || h.Reason != "alarm: a record was damaged" {
		t.Errorf("after an alarm the node is %s: %s", h.Level, h.Reason)
	}
}
