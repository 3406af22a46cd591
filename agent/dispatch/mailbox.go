package dispatch

import (
	"sync"
	"sync/atomic"
)

// mailbox carries rare messages to the loop, from anyone. Who puts bounds how many.
type mailbox[T any] struct {
	bell     *bell
	count    atomic.Int32
	mu       sync.Mutex
	messages []T
	first    int
}

func (m *mailbox[T]) put(message T) {
	m.mu.Lock()
	m.messages = append(m.messages, message)
	m.count.Add(1)
	m.mu.Unlock()
	m.bell.ring()
}

// some may be called without the lock.
func (m *mailbox[T]) some() bool { return m.count.Load() > 0 }

func (m *mailbox[T]) pop() (message T, ok bool) {
	if !m.some() {
		return message, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var none T
	message, m.messages[m.first] = m.messages[m.first], none
	m.first++
	if m.count.Add(-1) == 0 {
		m.messages, m.first = m.messages[:0], 0
	}
	return message, true
}
