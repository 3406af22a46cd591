package agent

import "sync"

// maxMail bounds the topics with control documents waiting.
const maxMail = 4096

// Document is a control document as it came from the broker.
type Document struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// mail keeps control documents until the keeper reads them: the latest of each topic, and every command.
type mail struct {
	mu      sync.Mutex
	wake    chan struct{} // one place
	waiting []Document
	at      map[string]int // index in waiting of a topic whose documents replace each other
	dropped uint64
}

func newMail() *mail { return &mail{wake: make(chan struct{}, 1), at: map[string]int{}} }

// put never blocks. Past maxMail documents are dropped and counted: control is sent again by whoever wants it.
func (m *mail) put(d Document, replaces bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, ok := m.at[d.Topic]; ok && replaces {
		m.waiting[i] = d
		return
	}
	if len(m.waiting) >= maxMail {
		m.dropped++
		return
	}
	if replaces {
		m.at[d.Topic] = len(m.waiting)
	}
	m.waiting = append(m.waiting, d)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mail) take() []Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.waiting
	m.waiting = nil
	clear(m.at)
	return all
}

// lost counts the documents that were dropped.
func (m *mail) lost() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dropped
}
