package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// demoCommand shows the whole on one machine: a broker, an agent, and daemons that are assigned over MQTT.
type demoCommand struct {
	Listen   string        `default:"127.0.0.1:1883" help:"Address of the broker; another port is taken where it is in use."`
	StateDir string        `placeholder:"DIR" help:"Where the demo keeps its state."`
	For      time.Duration `placeholder:"TIME" help:"Stop by itself after this time."`
}

// demoStep is one daemon of the demo's pipeline.
type demoStep struct {
	id   mesh.DaemonID
	does string
	spec string
}

// pipeline follows one sensor of this machine: each reading, their average, and an alarm when the average falls below
// where it began.
func pipeline(first mesh.Sample) []demoStep {
	sensor, _ := json.Marshal(first.Kind + "/" + first.Sensor) // a text can always be written
	return []demoStep{
		{"sensor", "reads " + first.Kind + "/" + first.Sensor + " once a second", fmt.Sprintf(
			`{"kind":"sensor","config":{"match":[%s]},"inputs":[{"source":"machine"}],"outputs":[{"qos":1}],"durability":"sync"}`,
			sensor)},
		{"ewma", "averages the readings", `{"kind":"ewma","config":{"alpha":0.2,"key":"/sensor"},` +
			`"inputs":[{"daemon":"sensor"}],"outputs":[{}]}`},
		{"threshold", "tells when the average leaves what is usual", fmt.Sprintf(
			`{"kind":"threshold","config":{"key":"/key","above":%g,"below":%g,"hysteresis":%g},`+
				`"inputs":[{"daemon":"ewma"}],"outputs":[{}]}`,
			first.Value*1.02, first.Value*0.98, first.Value*0.001)},
	}
}

func (c *demoCommand) Run(ctx context.Context, con *console) error {
	dir := c.StateDir
	if dir == "" {
		dir = filepath.Join(defaultStateDir(), "demo")
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	broker, err := openDemoBroker(c.Listen, filepath.Join(dir, "broker"))
	if err != nil {
		return err
	}
	defer broker.Close()
	s := defaultSettings()
	s.Fleet, s.StateDir = "demo", filepath.Join(dir, "agent")
	s.Broker.URLs = []string{"tcp://" + broker.Addrs()[0].String()}

	ended := make(chan error, 1)
	ready := make(chan *node, 1)
	running, stop := context.WithCancel(ctx)
	defer stop()
	log := slog.New(slog.NewTextHandler(con.Err, &slog.HandlerOptions{Level: slog.LevelError}))
	go func() { ended <- serve(running, s, kinds(), log, func(n *node) { ready <- n }) }()
	select {
	case err := <-ended:
		return err
	case n := <-ready:
		err = c.show(ctx, con.Out, s, n)
	}
	stop()
	fmt.Fprintln(con.Out, "\nstopping: every daemon takes a last snapshot")
	if ending := <-ended; err == nil || ctx.Err() != nil {
		err = ending
	}
	if err == nil {
		fmt.Fprintf(con.Out, "stopped. The state is in %s; start the demo again and it goes on from there.\n", dir)
	}
	return err
}

// openDemoBroker listens where it was told, or on any free port where that one is taken.
func openDemoBroker(at, dir string) (*mqtt.Broker, error) {
	quiet := slog.New(slog.DiscardHandler)
	broker, err := mqtt.OpenBroker(mqtt.BrokerOptions{Listen: at, Dir: dir, Log: quiet})
	if host, _, split := net.SplitHostPort(at); err != nil && split == nil {
		broker, err = mqtt.OpenBroker(mqtt.BrokerOptions{Listen: net.JoinHostPort(host, "0"), Dir: dir, Log: quiet})
	}
	if err != nil {
		return nil, fail(exitTransport, fmt.Errorf("starting the demo's broker: %w", err), "choose an address with --listen")
	}
	return broker, nil
}

// show tells what there is, assigns the pipeline as anybody else would, and prints what comes of it.
func (c *demoCommand) show(ctx context.Context, out io.Writer, s settings, n *node) error {
	fmt.Fprintf(out, "edge-agent demo\n\nbroker   %s\nnode     %s of fleet %s\nstate    %s\n\nWhat this machine is:\n\n",
		s.Broker.URLs[0], n.id.Node, s.Fleet, s.StateDir)
	fmt.Fprint(out, factTable(n.machine.latest(), time.Now()).Render(columns(out)))
	samples := n.machine.samples(ctx)
	if len(samples) == 0 {
		return fmt.Errorf("this machine gives no readings for the pipeline")
	}
	steps := pipeline(favourite(samples))

	fleet := order.Fleet(s.Fleet)
	v, err := visit(ctx, s, fleet.Outputs("+"), fleet.AllReports(n.id.Node))
	if err != nil {
		return err
	}
	defer v.leave()
	if err := v.settle(ctx, func(mqtt.Message) {}); err != nil {
		return err
	}
	for _, step := range steps {
		if err := assignDemo(ctx, v, n, step); err != nil {
			return err
		}
	}
	heads, err := c.runs(ctx, n, steps)
	if err != nil {
		return err
	}
	fmt.Fprint(out, "\nThe pipeline, assigned over MQTT:\n\n")
	t := newTable("daemon", "does", "chain")
	for _, step := range steps {
		chain := "begins"
		if sequence := heads[step.id]; sequence > 0 {
			chain = fmt.Sprintf("goes on after output %d", sequence)
		}
		t.Row(string(step.id), step.does, chain)
	}
	fmt.Fprint(out, t.Render(columns(out)))
	if n.resumed {
		fmt.Fprint(out, "\nResumed from the state of the last run.\n")
	}
	self := os.Args[0]
	if filepath.Base(self) == self {
		self = "edge-agent"
	}
	socket := filepath.Join(s.StateDir, socketName)
	fmt.Fprintf(out, "\nTry in another terminal:\n\n  %[1]s fleet nodes --fleet demo --broker %[2]s\n"+
		"  %[1]s state ls --state-dir %[3]s\n  curl -s --unix-socket %[4]s http://agent/metrics\n\n"+
		"What the daemons say (Ctrl-C stops):\n\n", self, s.Broker.URLs[0], s.StateDir, socket)
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-v.messages:
			if frame, _, err := mesh.ParseFrame(m.Payload); err == nil {
				fmt.Fprintf(out, "  %s  %-9s %6d  %s\n", time.Now().Format("15:04:05"), frame.Daemon, frame.Link.Sequence,
					cutTo(string(frame.Payload), columns(out)-32))
			}
		}
	}
}

// favourite is the reading that moves most visibly: a temperature, or else the memory that is left.
func favourite(samples []mesh.Sample) mesh.Sample {
	best, rank := samples[0], 0
	for _, s := range samples {
		switch {
		case rank < 2 && s.Kind == "temperature":
			best, rank = s, 2
		case rank < 1 && s.Kind == "memory" && s.Sensor == "available":
			best, rank = s, 1
		}
	}
	return best
}

// assignDemo publishes an order. One that asks for what is there already has its number, and changes nothing.
func assignDemo(ctx context.Context, v *visitor, n *node, step demoStep) error {
	spec, err := order.ParseSpec([]byte(step.spec))
	if err != nil {
		return fmt.Errorf("the demo's %s: %w", step.id, err)
	}
	a := &order.Assignment{Generation: 1, State: order.Run, Spec: spec}
	if report, ok := n.agent.Report(ctx, step.id); ok {
		a.Generation = report.Generation
		if report.Body != a.Body() {
			a.Generation++
		}
	}
	data, err := order.Encode(a)
	if err != nil {
		return err
	}
	return v.client.Publish(v.fleet.Assigned(n.id.Node, step.id), 1, true, data)
}

// runs waits until every daemon runs and gives the sequence each goes on after.
func (c *demoCommand) runs(ctx context.Context, n *node, steps []demoStep) (map[mesh.DaemonID]uint64, error) {
	heads := map[mesh.DaemonID]uint64{}
	deadline := time.Now().Add(30 * time.Second)
	for len(heads) < len(steps) {
		for _, step := range steps {
			report, ok := n.agent.Report(ctx, step.id)
			switch {
			case ok && report.State == order.Running:
				if _, seen := heads[step.id]; !seen {
					heads[step.id] = report.Head.Sequence
				}
			case ok && report.Error != "":
				return nil, fmt.Errorf("daemon %s is %s: %s", step.id, report.State, report.Error)
			}
		}
		if time.Now().After(deadline) {
			return nil, fail(exitTimeout, fmt.Errorf("the daemons did not start in time"), "see edge-agent doctor")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return heads, nil
}

func cutTo(text string, width int) string {
	runes := []rune(strings.ReplaceAll(text, "\n", " "))
	if width > 1 && len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return string(runes)
}
