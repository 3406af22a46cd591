package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt/bench"
	"github.com/edge-agent/edge-agent/order"
)

type benchMQTTCommand struct {
	Dir    string `placeholder:"DIR" help:"Where the agent keeps its state: the disk that is measured. By default the state directory's."`
	Events int    `default:"20000" help:"Events of each turn."`
	Rounds int    `default:"3" help:"Turns of each side."`
	Broker string `placeholder:"URL" help:"Broker to use, tcp://HOST:PORT; by default one of its own: Mosquitto where it is installed."`
}

func (c benchMQTTCommand) Run(ctx context.Context, con *console) (err error) {
	if c.Dir == "" {
		s, err := configFlags{}.Settings()
		if err != nil {
			return err
		}
		c.Dir = s.StateDir
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fail(exitFailed, err, "choose a directory with --dir")
	}
	dir, err := os.MkdirTemp(c.Dir, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	url, name := c.Broker, c.Broker
	if url == "" {
		var stop func() error
		if url, name, stop, err = bench.Broker(ctx, dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	bar := con.Progress("measuring", 0)
	rows, err := bench.Run(ctx, url, bench.Options{
		Events: c.Events, Rounds: c.Rounds, Sides: agentSides(dir),
		Progress: func(done, total int) { bar.total = total; bar.Step(done) },
	})
	bar.Done()
	if err != nil {
		return err
	}
	plain := map[byte]float64{}
	for _, r := range rows {
		if _, ok := plain[r.QoS]; !ok {
			plain[r.QoS] = r.Rate
		}
	}
	t := newTable("side", "qos", "events/s", "ratio", "round trip us")
	for _, r := range rows {
		t.Row(r.Side, r.QoS, fmt.Sprintf("%.0f", r.Rate), fmt.Sprintf("%.2f", r.Rate/plain[r.QoS]),
			fmt.Sprintf("%.0f", r.RoundTrip))
	}
	con.Note("Over %s; the ratio is to the plain program at the same QoS.", name)
	return con.Print(rows, t)
}

// agentSides are agents with one daemon that lets every event pass.
func agentSides(dir string) []bench.Side {
	var sides []bench.Side
	for _, s := range []struct {
		durability order.Durability
		qos        byte
	}{{order.Volatile, 0}, {order.Volatile, 1}, {order.Sync, 1}} {
		start := func(ctx context.Context, url string) (func() error, error) {
			return startForBench(ctx, dir, url, s.durability, s.qos)
		}
		sides = append(sides, bench.Side{Name: "agent, " + s.durability.String(), QoS: s.qos, Start: start})
	}
	return sides
}

func startForBench(ctx context.Context, dir, url string, d order.Durability, qos byte) (func() error, error) {
	state, err := os.MkdirTemp(dir, "state-")
	if err != nil {
		return nil, err
	}
	s := defaultSettings()
	s.StateDir, s.Fleet, s.Node, s.Broker.URLs = state, "bench", "bench", []string{url}
	level := order.AtMostOnce
	if qos > 0 {
		level = order.AtLeastOnce
	}
	s.Daemons = map[mesh.DaemonID]order.Spec{"pass": {
		Kind: "filter", Config: json.RawMessage(`{"pass": "value.v >= 0"}`), Durability: d,
		Inputs:  []order.Input{{Topic: bench.In + "/+", QoS: level}},
		Outputs: []order.Output{{Topic: bench.Out, QoS: level, Format: order.Raw}},
	}}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, s, kinds(), slog.New(slog.DiscardHandler), nil) }()
	return func() error {
		cancel()
		return errors.Join(<-ended, os.RemoveAll(state))
	}, nil
}
