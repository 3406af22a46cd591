package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// MaxDaemons bounds the daemons of one node.
const MaxDaemons = 1024

// Options say what a node is made of. Identity, Fleet, Kinds, Store, Bus and Decode must be set.
type Options struct {
	Identity Identity
	Fleet    string
	Version  string
	Kinds    []mesh.Kind
	// Declared are the daemons of the configuration file; an order over the wire for one of them is refused.
	Declared map[mesh.DaemonID]order.Spec
	Store    Store
	Bus      Bus
	// Decode gives the function that reads the payloads of an input.
	Decode func(order.Input) (dispatch.Decode, error)
	// Machine is what the node is at the start; SetMachine changes it.
	Machine Machine
	// Gauges reads what changes all the time, such as free memory; it must return within milliseconds. Nil has none.
	Gauges func() Gauges
	// Metrics adds to the page of metrics; nil adds nothing.
	Metrics func(w io.Writer)
	// Careful says that the agent did not stop cleanly: inputs that may have killed it are written before they are tried.
	Careful bool
	// Boot counts the starts of this node.
	Boot uint64
	// Reexec replaces the process by a fresh one, to be rid of a daemon that does not return. Nil cannot.
	Reexec func(reason string)
	// Export keeps the last snapshot of a daemon that goes. Nil does not.
	Export func(id mesh.DaemonID, snapshot mesh.Snapshot) error

	Log *slog.Logger
	// Clocks makes clocks, one for each goroutine that needs one. Nil takes this machine's.
	Clocks func() dispatch.Clock
	// Tick is the supervisor's, by default 500 ms; Heartbeat 10 s; Grace, for a daemon to stop, 30 s; Drain 10 minutes;
	// Unwell, how long a daemon may be unhealthy before it is started again, 5 minutes.
	Tick, Heartbeat, Grace, Drain, Unwell time.Duration
}

func (o Options) filled() Options {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&o.Tick, 500*time.Millisecond)
	set(&o.Heartbeat, 10*time.Second)
	set(&o.Grace, 30*time.Second)
	set(&o.Drain, 10*time.Minute)
	set(&o.Unwell, 5*time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clocks == nil {
		o.Clocks = dispatch.SystemClock
	}
	if o.Gauges == nil {
		o.Gauges = func() Gauges { return Gauges{} }
	}
	return o
}

// Machine is what a node is.
type Machine struct {
	Set      capability.Set
	Evidence []order.Evidence
}

// Gauges are what changes all the time on a machine.
type Gauges struct {
	Free   map[string]uint64
	Values map[string]float64
}

// Message is an application message from the broker.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
	Dup      bool
	Ack      dispatch.Acker
}

// Agent is one node.
type Agent struct {
	o       Options
	topics  order.Fleet
	kinds   map[string]mesh.Kind
	host    *dispatch.Host
	lane    *dispatch.Lane
	machine *dispatch.Lane
	notices *notices
	mail    *mail
	asks    chan func(*keeper)
	ready   chan struct{}
	ended   chan struct{}
	life    presence
	// observing says whether a daemon is bound to this machine's readings.
	observing atomic.Bool
	gate      sync.RWMutex // held for reading while an input is handed over
	paused    int          // daemons for whose return inputs wait
}

// New checks the options and starts nothing.
func New(o Options) (*Agent, error) {
	if o.Store == nil || o.Bus == nil || o.Decode == nil || o.Fleet == "" || o.Identity.Node == "" {
		return nil, errors.New("agent: store, bus, decoder, fleet and identity must be set")
	}
	o = o.filled()
	last, err := o.Store.Last()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		o: o, topics: order.Fleet(o.Fleet), kinds: map[string]mesh.Kind{}, notices: newNotices(), mail: newMail(),
		asks: make(chan func(*keeper)), ready: make(chan struct{}), ended: make(chan struct{}),
	}
	for _, kind := range o.Kinds {
		a.kinds[kind.Name] = kind
	}
	a.host = dispatch.New(dispatch.Options{
		Journal: o.Store, First: last + 1, Clock: o.Clocks(), Log: o.Log,
		Hooks: a.notices.hooks(func(p *dispatch.Publication) { o.Bus.Send(p) }),
	})
	a.lane = a.host.Lane("broker", 4096)
	a.machine = a.host.Lane("machine", 1024)
	return a, nil
}

// Run works until the context ends, then stops every daemon behind a last snapshot.
func (a *Agent) Run(ctx context.Context) error {
	defer close(a.ended)
	looping, stop := context.WithCancel(context.WithoutCancel(ctx))
	loop := make(chan error, 1)
	go func() { loop <- a.host.Run(looping) }()
	err := newKeeper(a).run(ctx)
	stop()
	return errors.Join(err, <-loop)
}

// Ready is closed once every daemon that the store knows has been started or has failed. The broker is to be dialled
// only then.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// Receive takes a message from the broker. It is called by one goroutine at a time, in the broker's order, and never
// blocks; false means that there is no room now.
func (a *Agent) Receive(m Message) bool {
	node := a.o.Identity.Node
	switch {
	case m.Topic == a.topics.Commands(node):
		a.mail.put(Document{m.Topic, m.Payload, m.Retained}, false)
	case order.Matches(a.topics.AllAssigned(node), m.Topic), m.Topic == a.topics.Presence(node):
		a.mail.put(Document{m.Topic, m.Payload, m.Retained}, true)
	default:
		a.gate.RLock()
		defer a.gate.RUnlock()
		return a.paused == 0 && a.lane.Post(&dispatch.Input{
			Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retained: m.Retained, Dup: m.Dup, Ack: m.Ack,
		})
	}
	if m.Ack != nil {
		m.Ack.Ack()
	}
	return true
}

// Observe gives a reading of this machine to the daemons bound to it. It is called by one goroutine at a time; false
// means that it was dropped.
func (a *Agent) Observe(topic string, payload []byte) bool {
	return a.machine.Post(&dispatch.Input{Topic: topic, Payload: payload, Trigger: mesh.Reading})
}

// Observing reports whether any daemon wants readings of this machine.
func (a *Agent) Observing() bool { return a.observing.Load() }

// SetMachine says that the machine has changed.
func (a *Agent) SetMachine(ctx context.Context, m Machine) error {
	return a.ask(ctx, func(k *keeper) { k.setMachine(m) })
}

// Alive reports whether the keeper and the loop still answer.
func (a *Agent) Alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := a.host.Stats(ctx); err != nil {
		return false
	}
	return a.ask(ctx, func(*keeper) {}) == nil
}

// Alarm says that something was damaged or lost which a person must hear of. The node's health tells the newest until
// the agent ends.
func (a *Agent) Alarm(text string) { a.notices.add(func(g *gathered) { g.alarm = text }) }

// ask has the keeper call a function and waits for it.
func (a *Agent) ask(ctx context.Context, f func(*keeper)) error {
	done := make(chan struct{})
	select {
	case a.asks <- func(k *keeper) { f(k); close(done) }:
	case <-a.ended:
		return errors.New("the agent has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}
