package bench

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

const (
	many  = 1000                  // daemons
	burst = 64                    // events handed over together
	pace  = 10 * time.Microsecond // between two events of the workload with a fixed rate
)

// workloads are all there are. Setting up and taking down is not measured.
func workloads() []workload {
	all := []workload{
		stream("1 to 1, in bursts", shape{producers: 1, daemons: 1, burst: burst}, 3),
		stream("1 to 1, one by one", shape{producers: 1, daemons: 1, burst: 1}, 1.3),
		stream("1 to 1000, in bursts", shape{producers: 1, daemons: many, burst: burst}, 3),
		stream("1 to 1000, one by one", shape{producers: 1, daemons: many, burst: 1}, 1.3),
		stream("8 to 1, in bursts", shape{producers: 8, daemons: 1, burst: burst}, 3),
		stream("4 to 1000 to 1, in bursts", shape{producers: 4, daemons: many, burst: burst, sink: true}, 3),
		{
			name: "round trip of 2 daemons", figures: []figure{{"median", 4}},
			loop:  func(n int) turn { return loopRing(2, n, true) },
			other: func(n int) turn { return channelRing(2, n, true) },
		},
		{
			name: "ring of 1000", figures: []figure{{"", 8}},
			loop:  func(n int) turn { return loopRing(many, n, false) },
			other: func(n int) turn { return channelRing(many, n, false) },
		},
		{
			name: "100,000 a second", figures: []figure{{"median", 1}, {"p99", 1}, {"p99.9", 0}}, paced: true,
			loop: loopPaced, other: channelPaced,
		},
		{
			name: "bare loop by full step", figures: []figure{{"", 0.4}},
			loop: func(n int) turn {
				return loopStream(shape{producers: 1, daemons: many, burst: burst, emit: true}, n)
			},
			other: bareStream,
		},
	}
	for _, d := range []time.Duration{time.Microsecond, 10 * time.Microsecond, 100 * time.Microsecond} {
		all = append(all, stream("1 to 1000, handlers of "+d.String(),
			shape{producers: 1, daemons: many, burst: burst, busy: d}, 0))
	}
	for _, s := range []struct {
		name  string
		shape shape
	}{
		{"1 to 1, in bursts", shape{producers: 1, daemons: 1, burst: burst}},
		{"1 to 1000, in bursts", shape{producers: 1, daemons: many, burst: burst}},
		{"4 to 1000 to 1, in bursts", shape{producers: 4, daemons: many, burst: burst, sink: true}},
	} {
		w := stream(s.name+", one core", s.shape, 0)
		w.loop, w.other = onOneCore(w.loop), onOneCore(w.other)
		all = append(all, w)
	}
	return all
}

func onOneCore(work side) side {
	return func(n int) turn {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		return work(n)
	}
}

// shape is a workload of events that run from producers to daemons, and perhaps to one more.
type shape struct {
	producers, daemons int
	burst              int
	sink               bool // the daemons emit what they get, to one daemon
	emit               bool // the daemons emit what they get, to nobody
	busy               time.Duration
}

func stream(name string, s shape, goal float64) workload {
	return workload{
		name: name, figures: []figure{{"", goal}},
		loop:  func(n int) turn { return loopStream(s, n) },
		other: func(n int) turn { return channelStream(s, n) },
	}
}

// parts is how many events each producer has for each daemon: at least one.
func (s *shape) parts(n int) int { return max(1, n/(s.producers*s.daemons)) }

func (s *shape) total(n int) int { return s.parts(n) * s.producers * s.daemons }

func topic(i int) string { return fmt.Sprintf("plant/line3/machine%d/temperature", i) }

var payload = []byte(`{"value":21.52,"unit":"C","sequence":1234567,"quality":"good"} `)

// node is a daemon of the streams.
type node struct {
	quiet
	left int // events; the first one is to get warm
	emit bool
	busy time.Duration
	warm *sync.WaitGroup
	done *sync.WaitGroup
}

func (d *node) Process(ev *mesh.Event, out *mesh.Outputs) error {
	if d.busy > 0 {
		for start := time.Now(); time.Since(start) < d.busy; {
		}
	}
	if d.emit {
		out.Emit(ev.Payload)
	}
	if d.warm != nil {
		d.warm.Done()
		d.warm = nil
	}
	if d.left--; d.left == 0 {
		d.done.Done()
	}
	return nil
}

// nodes are the daemons of a shape, and the one at the end of it if it has one.
func (s *shape) nodes(n int) (all []*node, sink *node, wait *phases) {
	wait = &phases{}
	for range s.daemons {
		all = append(all, &node{
			left: s.parts(n)*s.producers + 1, emit: s.emit || s.sink, busy: s.busy, warm: &wait.warm, done: &wait.done,
		})
	}
	wait.warm.Add(s.daemons)
	wait.done.Add(s.daemons)
	if s.sink {
		sink = &node{left: s.total(n) + s.daemons, done: &wait.done}
		wait.done.Add(1)
	}
	return all, sink, wait
}

// phases are what a stream waits for: that every daemon has had an event, and that all have been processed.
type phases struct{ warm, done sync.WaitGroup }

// relay passes a token on until it has made its hops, and notes how long each round took.
type relay struct {
	quiet
	ring  *ring
	timed bool
}

// ring is what the relays of one token share; only the one that has the token touches it.
type ring struct {
	left   int
	last   time.Time
	rounds []int64
	done   chan struct{}
}

func newRing(hops int, timed bool) *ring {
	r := &ring{left: hops, done: make(chan struct{})}
	if timed {
		r.rounds = make([]int64, 0, hops)
	}
	return r
}

// turn has the token go round.
func (r *ring) turn(start func()) turn {
	t := measured(r.left, func() {
		r.last = time.Now()
		start()
		<-r.done
	})
	if len(r.rounds) > 0 {
		t.figures = quantiles(r.rounds, 0.5)
	}
	return t
}

func (d *relay) Process(ev *mesh.Event, out *mesh.Outputs) error {
	r := d.ring
	if d.timed {
		now := time.Now()
		r.rounds = append(r.rounds, int64(now.Sub(r.last)))
		r.last = now
	}
	if r.left--; r.left == 0 {
		close(r.done)
		return nil
	}
	out.Emit(ev.Payload)
	return nil
}

// latency notes how long events were on their way.
type latency struct {
	quiet
	start time.Time
	all   []int64
	left  int
	done  chan struct{}
}

func newLatency(n int) *latency {
	return &latency{all: make([]int64, 0, n), left: n, done: make(chan struct{})}
}

func (d *latency) Process(ev *mesh.Event, _ *mesh.Outputs) error {
	d.all = append(d.all, int64(time.Since(d.start))-sentAt(ev.Payload))
	if d.left--; d.left == 0 {
		close(d.done)
	}
	return nil
}

// paced sends n events at a fixed rate. The producer waits by looking at the clock, since a sleep is too coarse.
func (d *latency) paced(n int, send func(payload []byte)) turn {
	stamps := make([]byte, 8*n)
	t := measured(n, func() { d.send(stamps, send) })
	t.figures = quantiles(d.all, 0.5, 0.99, 0.999)
	return t
}

func (d *latency) send(stamps []byte, send func(payload []byte)) {
	d.start = time.Now()
	for i := range len(stamps) / 8 {
		for at := time.Duration(i) * pace; time.Since(d.start) < at; {
			runtime.Gosched()
		}
		stamp := stamps[8*i : 8*i+8]
		stampNow(stamp, int64(time.Since(d.start)))
		send(stamp)
	}
	<-d.done
}
