package bench

import (
	"runtime"
	"sync/atomic"

	"github.com/edge-agent/edge-agent/mesh"
)

// bare is the least that a loop can be: a ring from one producer, whose events name their daemon by its place. It finds
// no binding, links and counts nothing, does not sleep, and would not survive a panic.
type bare struct {
	slots [1024]bareEvent
	tail  atomic.Uint32
	_     [64]byte
	head  atomic.Uint32
	ended atomic.Bool
}

type bareEvent struct {
	to      int
	topic   string
	payload []byte
}

func (b *bare) run(all []*node) {
	var ev mesh.Event
	var out mesh.Outputs
	for head := uint32(0); !b.ended.Load(); {
		tail := b.tail.Load()
		if tail == head {
			runtime.Gosched()
			continue
		}
		for ; head != tail; head++ {
			e := &b.slots[head%uint32(len(b.slots))]
			ev.Topic, ev.Payload = e.topic, e.payload
			var d mesh.Daemon = all[e.to]
			if d.Process(&ev, &out) == nil && out.Len() > 0 {
				out.Reset()
			}
		}
		b.head.Store(head)
	}
}

func bareStream(n int) turn {
	s := shape{producers: 1, daemons: many, burst: burst, emit: true}
	all, _, wait := s.nodes(n)
	b := &bare{}
	go b.run(all)
	defer b.ended.Store(true)
	staged, to := uint32(0), 0
	return s.produce(n, wait, func(int) func(topic string, flush bool) {
		return func(topic string, flush bool) {
			for staged-b.head.Load() == uint32(len(b.slots)) {
				b.tail.Store(staged)
				runtime.Gosched()
			}
			b.slots[staged%uint32(len(b.slots))] = bareEvent{to, topic, payload}
			staged++
			if to++; to == len(all) {
				to = 0
			}
			if flush {
				b.tail.Store(staged)
			}
		}
	})
}
