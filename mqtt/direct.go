package mqtt

import "sync"

const (
	maxDirect      = 8192
	maxDirectBytes = 8 << 20
)

// direct holds outputs that have no row in the outbox, for as long as there is a connection.
type direct struct {
	wake chan struct{}

	mu    sync.Mutex
	open  bool
	queue []flight
	bytes int
}

func (d *direct) put(f flight) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.open || len(d.queue) >= maxDirect || d.bytes+len(f.payload) > maxDirectBytes {
		return false
	}
	d.queue = append(d.queue, f)
	d.bytes += len(f.payload)
	if len(d.queue) == 1 {
		signal(d.wake)
	}
	return true
}

// next takes the oldest; one that needs the broker's confirmation only if there is room for it.
func (d *direct) next(room bool) (flight, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 || d.queue[0].qos > 0 && !room {
		return flight{}, false
	}
	f := d.queue[0]
	d.queue[0] = flight{}
	d.queue = d.queue[1:]
	d.bytes -= len(f.payload)
	return f, true
}

func (d *direct) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queue) == 0
}

// reset opens the queue for a connection, or closes it and counts what is lost.
func (d *direct) reset(open bool) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	lost := len(d.queue)
	d.open, d.queue, d.bytes = open, nil, 0
	return lost
}
