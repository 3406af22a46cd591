package mqtt

import (
	"bytes"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// echo checks, once per connection, that this client hears what it published: a broker confirms a publication that it
// denies, so nothing else proves the permission.
type echo struct {
	topic   string
	timeout time.Duration
	denied  func(topic string)

	mu      sync.Mutex
	payload []byte // what must come back, nil before it was sent
	settled bool   // heard, or the connection has ended
	timer   *time.Timer
}

// sending notes the first publication on the topic.
func (e *echo) sending(f *flight) {
	if e.topic == "" || f.topic != e.topic {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.payload == nil {
		e.payload = append(make([]byte, 0, len(f.payload)+1), f.payload...)
	}
}

// confirmed starts the clock.
func (e *echo) confirmed(f *flight) {
	if e.topic == "" || f.topic != e.topic || e.denied == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.settled && e.timer == nil {
		e.timer = time.AfterFunc(e.timeout, func() {
			if !e.settle() {
				e.denied(e.topic)
			}
		})
	}
}

// hear notes a message; a retained one is an older copy and proves nothing.
func (e *echo) hear(m paho.Message) {
	if e.topic == "" || m.Topic() != e.topic || m.Retained() {
		return
	}
	e.mu.Lock()
	match := e.payload != nil && bytes.Equal(e.payload, m.Payload())
	e.mu.Unlock()
	if match {
		e.settle()
	}
}

// settle ends the wait and reports whether it had ended already.
func (e *echo) settle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.settled
	e.settled = true
	if e.timer != nil {
		e.timer.Stop()
	}
	return before
}
