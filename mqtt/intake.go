package mqtt

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// retryEvery is how often a full receiver is asked again.
const retryEvery = time.Millisecond

var errNoRoom = errors.New("the receiver has no room for more messages")

// intake hands the messages of one connection to the receiver, in order. Messages of QoS 1 that find no room wait; when
// too many wait, the connection is dropped, so that the broker keeps them. Taking a message never blocks.
type intake struct {
	connection uint64
	receive    func(Message) bool
	acks       *acker
	drop       func(error)
	counts     *counters
	max        int
	maxBytes   int

	mu      sync.Mutex
	waiting []Message
	bytes   int
	ended   bool
	slab    []handle // acknowledgements not yet used, made a few at a time
}

const slabSize = 64

func (in *intake) take(m paho.Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return
	}
	msg := Message{
		Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained(), Dup: m.Duplicate(),
		Packet: m.MessageID(), Connection: in.connection,
	}
	if msg.QoS > 0 {
		if len(in.slab) == 0 {
			in.slab = make([]handle, slabSize)
		}
		h := &in.slab[0]
		in.slab = in.slab[1:]
		h.acks, h.message = in.acks, m
		msg.Ack = h
	}
	switch {
	case len(in.waiting) == 0 && in.receive(msg):
		in.counts.received.Add(1)
	case msg.QoS == 0:
		in.counts.dropped.Add(1)
	case len(in.waiting) >= in.max || in.bytes+len(msg.Payload) > in.maxBytes:
		in.end()
		in.counts.forced.Add(1)
		in.drop(errNoRoom)
	default:
		in.waiting = append(in.waiting, msg)
		in.bytes += len(msg.Payload)
		in.counts.waiting.Add(1)
		if len(in.waiting) == 1 {
			time.AfterFunc(retryEvery, in.retry)
		}
	}
}

func (in *intake) retry() {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for n < len(in.waiting) && in.receive(in.waiting[n]) {
		in.counts.received.Add(1)
		in.bytes -= len(in.waiting[n].Payload)
		in.waiting[n] = Message{}
		n++
	}
	in.counts.waiting.Add(-int64(n))
	if in.waiting = in.waiting[n:]; len(in.waiting) > 0 {
		time.AfterFunc(retryEvery, in.retry)
	} else {
		in.waiting = nil
	}
}

// close forgets what waits: the broker will send it again.
func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.end()
}

func (in *intake) end() {
	in.counts.waiting.Add(-int64(len(in.waiting)))
	in.ended, in.waiting, in.bytes = true, nil, 0
}

// counters are what Stats shows.
type counters struct {
	connects, failures, lost, forced, received, dropped, published, refused atomic.Uint64
	waiting, inflight                                                       atomic.Int64
}
