package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
	"github.com/edge-agent/edge-agent/probe"
)

const (
	// knownKey is what the machine was last known to be, in the store.
	knownKey = "machine"
	// firstLook is how long a start waits for the machine to be probed.
	firstLook = 5 * time.Second
)

// machine keeps what this machine is, and tells the agent when it changes.
type machine struct {
	node   *node
	memory probe.Memory // of the watching goroutine
	looked chan struct{}
	once   sync.Once

	mu     sync.Mutex
	known  agent.Machine
	result probe.Result
	values []probe.Gauge // newer than the result's where a tool or a slow bus said them
	agent  *agent.Agent  // told of changes, once there is one
}

// openMachine begins to watch and returns once the machine was probed.
func openMachine(ctx context.Context, n *node) *machine {
	m := &machine{node: n, looked: make(chan struct{})}
	if saved, ok, err := n.store.Get(agent.NodeBucket, knownKey); err != nil {
		n.log.Error("reading what the machine was known to be", "error", err)
	} else if ok {
		if err := m.memory.Import(saved); err != nil {
			n.log.Warn("what the machine was known to be cannot be read", "error", err)
		}
	}
	n.beside.Go(func() {
		o := n.settings.Probe.options(probe.Options{Log: n.log, Gauges: m.measured})
		if err := probe.Watch(ctx, o, &m.memory, m.changed); err != nil && ctx.Err() == nil {
			n.log.Error("this machine cannot be probed", "error", err)
		}
	})
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	select {
	case <-m.looked:
	case <-timer.C:
		n.log.Warn("probing this machine takes long; the agent starts without", "waited", firstLook)
	case <-ctx.Done():
	}
	return m
}

// measured takes up where and how to read what changes all the time.
func (m *machine) measured(gauges []probe.Gauge) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values = gauges
}

// changed takes up what the machine is now.
func (m *machine) changed(r probe.Result) {
	known, err := describe(r)
	if err != nil {
		m.node.log.Error("what was probed cannot be published", "error", err)
		return
	}
	m.mu.Lock()
	m.known, m.result = known, r
	told := m.agent
	m.mu.Unlock()
	m.once.Do(func() { close(m.looked) })
	if told != nil {
		// An agent that has ended needs to know nothing any more.
		_ = told.SetMachine(context.Background(), known)
	}
	if saved, err := m.memory.Export(); err == nil {
		err = m.node.store.Put(agent.NodeBucket, knownKey, saved)
		if err != nil {
			m.node.log.Warn("keeping what the machine is known to be", "error", err)
		}
	}
}

// describe brings a probe's answer to the form of the caps document.
func describe(r probe.Result) (agent.Machine, error) {
	set, err := r.Set()
	if err != nil {
		return agent.Machine{}, err
	}
	answers := map[probe.Status]string{probe.Present: "complete", probe.Absent: "complete", probe.Unsure: "partial"}
	known := agent.Machine{Set: set}
	for _, report := range r.Reports {
		e := order.Evidence{Subject: report.Subject, Answer: answers[report.Status], Error: report.Reason}
		for _, f := range r.Facts {
			if f.Source != report.Subject {
				continue
			}
			e.Facts++
			if f.State == probe.LastKnown {
				e.Since = f.Time.UTC().Format(time.RFC3339)
			}
		}
		known.Evidence = append(known.Evidence, e)
	}
	return known, nil
}

func (m *machine) current() agent.Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known
}

// latest is what the machine last answered.
func (m *machine) latest() probe.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.result
}

// tell says who is to hear of changes.
func (m *machine) tell(a *agent.Agent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.agent = a
}

// samples reads what changes all the time.
func (m *machine) samples(ctx context.Context) []mesh.Sample {
	m.mu.Lock()
	gauges := m.values
	m.mu.Unlock()
	return probe.Readings(ctx, probe.Here(), gauges, nil)
}

// gauges are the samples as the heartbeat tells them.
func (m *machine) gauges() agent.Gauges {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	g := agent.Gauges{Free: map[string]uint64{}, Values: map[string]float64{}}
	for _, s := range m.samples(ctx) {
		if s.Kind == "memory" && s.Sensor == "available" {
			g.Free["memory_mb"] = uint64(s.Value) >> 20
		}
		if s.Kind == "gpu_memory_free" { // of the GPU with the most left, as tags speak of the largest
			g.Free["vram_mb"] = max(g.Free["vram_mb"], uint64(s.Value)>>20)
		}
		g.Values[s.Kind+"/"+s.Sensor] = s.Value
	}
	return g
}

// observe gives the samples to the daemons that are bound to this machine, for as long as there are any.
func (m *machine) observe(ctx context.Context, a *agent.Agent) {
	tick := time.NewTicker(m.node.settings.Probe.Readings)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !a.Observing() {
			continue
		}
		for _, s := range m.samples(ctx) {
			if !a.Observe(s.Topic(), s.Append(nil)) {
				m.node.log.Warn(fmt.Sprintf("reading of %s was dropped: the agent is busy", s.Sensor))
			}
		}
	}
}
