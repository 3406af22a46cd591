package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// quiet is what a daemon must have beside Process.
type quiet struct{}

// Name is the same for all.
func (quiet) Name() string { return "bench" }

// Requirements are none.
func (quiet) Requirements() capability.Filter { return capability.Filter{} }

func stampNow(b []byte, ns int64) { binary.LittleEndian.PutUint64(b, uint64(ns)) }
func sentAt(b []byte) int64       { return int64(binary.LittleEndian.Uint64(b)) }
func name(i int) mesh.DaemonID    { return mesh.DaemonID(fmt.Sprint("daemon-", i)) }
func chainOf(i int) *mesh.Chain   { return mesh.NewChain(mesh.Origin(i+1), 1, 0) }
func ledgerOf(i int) *dispatch.Ledger {
	return dispatch.NewLedger(mesh.Snapshot{Daemon: name(i), Head: chainOf(i).Head()})
}

// start runs a host with some daemons and returns how to end it.
func start(specs []dispatch.Spec) (h *dispatch.Host, end func()) {
	h = dispatch.New(dispatch.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	var adding sync.WaitGroup
	for _, spec := range specs {
		adding.Go(func() {
			spec.Durability = dispatch.Volatile
			if err := h.Add(ctx, spec); err != nil {
				panic(err) // the specs are ours, and differ in their names
			}
		})
	}
	adding.Wait()
	return h, func() {
		cancel()
		<-ended
	}
}

// stage puts an input into a lane, however long that is full: first it lets others run, then it sleeps.
func stage(lane *dispatch.Lane, in *dispatch.Input) {
	for try := 0; !lane.Stage(in); try++ {
		if lane.Flush(); try < 8 {
			runtime.Gosched()
		} else {
			time.Sleep(10 * time.Microsecond)
		}
	}
}

func loopStream(s shape, n int) turn {
	all, sink, wait := s.nodes(n)
	var specs []dispatch.Spec
	var taps []dispatch.Binding
	for i, d := range all {
		spec := dispatch.Spec{
			ID: name(i), Daemon: d, Ledger: ledgerOf(i), Bindings: []dispatch.Binding{{Filter: topic(i)}},
		}
		if s.sink {
			spec.Local = "out"
			taps = append(taps, dispatch.Binding{From: spec.ID})
		}
		specs = append(specs, spec)
	}
	if s.sink {
		specs = append(specs, dispatch.Spec{
			ID: name(len(all)), Daemon: sink, Ledger: ledgerOf(len(all)), Bindings: taps,
		})
	}
	h, end := start(specs)
	defer end()
	lanes := make([]*dispatch.Lane, s.producers)
	for i := range lanes {
		lanes[i] = h.Lane(fmt.Sprint("producer ", i), 1024)
	}
	return s.produce(n, wait, func(producer int) func(topic string, flush bool) {
		lane, in := lanes[producer], dispatch.Input{Payload: payload}
		return func(topic string, flush bool) {
			in.Topic = topic
			if stage(lane, &in); flush {
				lane.Flush()
			}
		}
	})
}

// produce has every producer send its events and waits until all have been processed.
func (s *shape) produce(n int, wait *phases, sender func(producer int) func(topic string, flush bool)) turn {
	topics := make([]string, s.daemons)
	for i := range topics {
		topics[i] = topic(i)
	}
	begin := make(chan struct{})
	for p := range s.producers {
		send := sender(p)
		go func() {
			if p == 0 {
				for _, topic := range topics {
					send(topic, true)
				}
			}
			<-begin
			sent := 0
			for range s.parts(n) {
				for _, topic := range topics {
					sent++
					send(topic, sent%s.burst == 0)
				}
			}
			send(topics[0], true) // beyond what is counted, to flush the rest
		}()
	}
	wait.warm.Wait()
	return measured(s.total(n), func() {
		close(begin)
		wait.done.Wait()
	})
}

func loopRing(size, hops int, timed bool) turn {
	r := newRing(hops, timed)
	var specs []dispatch.Spec
	for i := range size {
		specs = append(specs, dispatch.Spec{
			ID: name(i), Daemon: &relay{ring: r, timed: timed && i == 0}, Ledger: ledgerOf(i), Local: "token",
			Bindings: []dispatch.Binding{{From: name((i + size - 1) % size)}},
		})
	}
	specs[0].Bindings = append(specs[0].Bindings, dispatch.Binding{Filter: "start"})
	h, end := start(specs)
	defer end()
	return r.turn(func() { h.Post(&dispatch.Input{Topic: "start", Payload: payload}) })
}

func loopPaced(n int) turn {
	d := newLatency(n)
	h, end := start([]dispatch.Spec{{
		ID: name(0), Daemon: d, Ledger: ledgerOf(0), Bindings: []dispatch.Binding{{Filter: topic(0)}},
	}})
	defer end()
	lane, in := h.Lane("producer", 1024), dispatch.Input{Topic: topic(0)}
	return d.paced(n, func(stamp []byte) {
		in.Payload = stamp
		stage(lane, &in)
		lane.Flush()
	})
}
