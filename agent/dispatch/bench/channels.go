package bench

import (
	"sync/atomic"

	"github.com/edge-agent/edge-agent/mesh"
)

// message is what goes through the channels.
type message struct {
	topic   string
	payload []byte
	link    mesh.Link
	daemon  mesh.DaemonID
}

// processor is a daemon in its goroutine, with all that belongs to a chain.
type processor struct {
	daemon mesh.Daemon
	id     mesh.DaemonID
	chain  *mesh.Chain
	seen   *mesh.Observer
	in     chan message
	out    chan message // nil if nobody takes the outputs
}

func newProcessor(i int, d mesh.Daemon) *processor {
	return &processor{
		daemon: d, id: name(i), chain: chainOf(i), seen: mesh.NewObserver(nil), in: make(chan message, 1024),
	}
}

// run processes until the channel is closed.
func (p *processor) run() {
	var ev mesh.Event
	var out mesh.Outputs
	for m := range p.in {
		ev = mesh.Event{Link: m.link, Daemon: m.daemon, Topic: m.topic, Payload: m.payload}
		p.seen.Observe(m.link.Origin)
		if p.daemon.Process(&ev, &out) != nil {
			continue
		}
		for i := range out.Len() {
			link := p.chain.Append(out.Payload(i), p.seen.Horizon())
			if p.out != nil {
				// The payload goes on as it came: unlike the loop, this side need not copy it.
				p.out <- message{payload: m.payload, link: link, daemon: p.id}
			}
		}
		out.Reset()
	}
}

func channelStream(s shape, n int) turn {
	all, sink, wait := s.nodes(n)
	router := make(map[string]*processor)
	var drain chan message
	if s.sink {
		end := newProcessor(len(all), sink)
		drain = end.in
		go end.run()
		defer close(end.in)
	}
	for i, d := range all {
		p := newProcessor(i, d)
		p.out = drain
		router[topic(i)] = p
		go p.run()
		defer close(p.in)
	}
	var senders atomic.Int32
	senders.Store(int32(s.producers))
	finished := make(chan struct{})
	took := s.produce(n, wait, func(producer int) func(topic string, flush bool) {
		origin, sequence, left := mesh.TopicOrigin("plant"), uint64(0), s.parts(n)*s.daemons
		if producer == 0 {
			left += s.daemons // to get warm
		}
		return func(topic string, _ bool) {
			if left == 0 { // the event that flushes
				if senders.Add(-1) == 0 {
					close(finished)
				}
				return
			}
			left--
			sequence++
			router[topic].in <- message{
				topic: topic, payload: payload, link: mesh.Link{Origin: origin, Sequence: sequence},
			}
		}
	})
	<-finished
	return took
}

func channelRing(size, hops int, timed bool) turn {
	r := newRing(hops, timed)
	all := make([]*processor, size)
	for i := range all {
		all[i] = newProcessor(i, &relay{ring: r, timed: timed && i == 0})
	}
	for i, p := range all {
		p.out = all[(i+1)%size].in
		go p.run()
	}
	t := r.turn(func() { all[0].in <- message{payload: payload} })
	for _, p := range all {
		close(p.in)
	}
	return t
}

func channelPaced(n int) turn {
	d := newLatency(n)
	p := newProcessor(0, d)
	router := map[string]*processor{topic(0): p}
	go p.run()
	defer close(p.in)
	where, origin, sequence := topic(0), mesh.TopicOrigin(topic(0)), uint64(0)
	return d.paced(n, func(stamp []byte) {
		sequence++
		router[where].in <- message{topic: where, payload: stamp, link: mesh.Link{Origin: origin, Sequence: sequence}}
	})
}
