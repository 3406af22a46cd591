package mqtt

import (
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// acker sends the acknowledgements of one connection from a goroutine of its own, so that nobody who acknowledges ever
// waits for the network. Those that come after the connection has ended are dropped.
type acker struct {
	conn *burst
	wake chan struct{}

	mu    sync.Mutex
	queue []*handle
	ended bool

	sending sync.Mutex // guards batch
	batch   []*handle
}

// handle acknowledges one message.
type handle struct {
	acks    *acker
	message paho.Message
}

func (h *handle) Ack() {
	a := h.acks
	a.mu.Lock()
	if !a.ended {
		a.queue = append(a.queue, h)
	}
	a.mu.Unlock()
	signal(a.wake)
}

// run sends until stop is closed, then what is left.
func (a *acker) run(stop <-chan struct{}) {
	for {
		select {
		case <-a.wake:
			a.flush()
		case <-stop:
			a.end()
			return
		}
	}
}

// end drops what waits and what is still to come.
func (a *acker) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.queue = true, nil
}

// flush sends what waits.
func (a *acker) flush() {
	a.sending.Lock()
	defer a.sending.Unlock()
	a.mu.Lock()
	a.batch, a.queue = a.queue, a.batch[:0]
	a.mu.Unlock()
	if len(a.batch) > 1 {
		a.conn.hold()
		defer a.conn.release()
	}
	for i, h := range a.batch {
		h.message.Ack()
		h.message, a.batch[i] = nil, nil
	}
}
