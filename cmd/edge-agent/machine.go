package main

import (
	"context"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/order"
	"github.com/edge-agent/edge-agent/probe"
)

// machine keeps what this machine is, and tells the agent when it changes.
type machine struct {
	node   *node
	result probe.Result
	known  agent.Machine
}

func openMachine(ctx context.Context, n *node) (*machine, error) {
	m := &machine{node: n}
	return m, m.look(ctx)
}

func (m *machine) look(ctx context.Context) (err error) {
	if m.result, err = probe.Run(ctx, probe.Options{Log: m.node.log}); err != nil {
		return fmt.Errorf("probing this machine: %w", err)
	}
	m.known, err = describe(m.result)
	return err
}

// describe brings a probe's answer to the form of the caps document.
func describe(r probe.Result) (agent.Machine, error) {
	set, err := r.Set()
	if err != nil {
		return agent.Machine{}, fmt.Errorf("probing this machine: %w", err)
	}
	answers := map[probe.Status]string{probe.Present: "complete", probe.Absent: "complete", probe.Unsure: "partial"}
	known := agent.Machine{Set: set}
	for _, report := range r.Reports {
		known.Evidence = append(known.Evidence, order.Evidence{
			Subject: report.Subject, Answer: answers[report.Status], Error: report.Reason,
		})
	}
	return known, nil
}

func (m *machine) current() agent.Machine { return m.known }

func (m *machine) gauges() agent.Gauges { return agent.Gauges{} }

// run looks at the machine again from time to time until the context ends.
func (m *machine) run(ctx context.Context) {
	tick := time.NewTicker(m.node.settings.Probe.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
