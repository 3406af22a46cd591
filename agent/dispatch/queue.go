package dispatch

import "github.com/edge-agent/edge-agent/mesh"

// call is an event for one port, as it comes from a lane or from another daemon.
type call struct {
	port    *port
	topic   string
	payload []byte
	link    mesh.Link
	self    *identity // of the producer, nil for what comes from a lane
	chunk   *chunk
	at      mesh.Position
	// input is set instead where the event needs more than a call can hold.
	input *Input
	// impl and time are set for direct calls.
	impl mesh.Daemon
	time int64
	// direct says that the port is ready, noted that the call was when it was staged.
	direct, noted bool
}

// pending is the call with room for all that can happen to it.
func (c *call) pending() *pending {
	p := &pending{}
	c.fill(p)
	return p
}

func (c *call) fill(p *pending) {
	*p = pending{port: c.port, chunk: c.chunk, at: c.at, lossy: c.at == 0}
	p.event.Trigger, p.event.Link, p.event.Topic, p.event.Payload = mesh.Message, c.link, c.topic, c.payload
	if c.self != nil {
		p.event.Daemon, p.event.Epoch, p.event.Incarnation = c.self.daemon, c.self.epoch, c.self.incarnation
	}
}

// queue is the plain ring for calls from daemon to daemon. It grows up to maxLocal.
type queue struct {
	calls       []call // a power of two
	first, next uint32
	bytes       int // of payloads
}

func (q *queue) len() int { return int(q.next - q.first) }

// push returns the place of a new call with a payload of some size, or nil when there is no room.
func (q *queue) push(size int) *call {
	if q.bytes+size > maxLocalBytes {
		return nil
	}
	if q.len() == len(q.calls) {
		if len(q.calls) == maxLocal {
			return nil
		}
		grown := make([]call, max(64, 2*len(q.calls)))
		n := 0
		for ; q.first != q.next; q.first++ {
			grown[n] = q.calls[q.first&uint32(len(q.calls)-1)]
			n++
		}
		q.calls, q.first, q.next = grown, 0, uint32(n)
	}
	c := &q.calls[q.next&uint32(len(q.calls)-1)]
	q.next++
	q.bytes += size
	return c
}

// pop moves the oldest call.
func (q *queue) pop(to *call) {
	c := &q.calls[q.first&uint32(len(q.calls)-1)]
	*to = *c
	*c = call{}
	q.bytes -= len(to.payload)
	q.first++
}
