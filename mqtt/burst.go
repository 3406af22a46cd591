package mqtt

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	readBuffer = 16 << 10
	// burstBytes is when a held burst is written all the same.
	burstBytes = 16 << 10
	// writeAhead is what senders may leave unwritten before they wait; writeMax is a defect of theirs.
	writeAhead = 256 << 10
	writeMax   = 8 << 20
	// lastWrite bounds the flush of a closing connection.
	lastWrite = time.Second
)

// burst is a connection whose writes are gathered while the one before them is under way, or while somebody holds
// them, and leave together: the MQTT client writes every packet on its own, which costs more than anything else it
// does. Whatever is written is sent without waiting for more, so that no acknowledgement is left behind.
//
// Reads are buffered. A connection that must be given up is not closed, which the client would take for its own doing,
// but fails its next read: see drop.
type burst struct {
	net.Conn
	reader  *bufio.Reader
	timeout time.Duration
	kick    chan struct{}
	flushed chan struct{} // one token after each write, for the publisher
	done    chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	buf     []byte
	held    int
	failed  error // why no more can be written
	dropped error // why the next read fails
	closing bool
}

func newBurst(conn net.Conn, timeout time.Duration) *burst {
	b := &burst{
		Conn: conn, reader: bufio.NewReaderSize(conn, readBuffer), timeout: timeout,
		kick: make(chan struct{}, 1), flushed: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go b.write()
	return b
}

// Write takes the bytes and returns at once.
func (b *burst) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failed != nil:
		return 0, b.failed
	case b.closing:
		return 0, net.ErrClosed
	case len(b.buf)+len(p) > writeMax:
		return 0, errors.New("too much waits to be written")
	}
	b.buf = append(b.buf, p...)
	if b.held == 0 || len(b.buf) >= burstBytes {
		signal(b.kick)
	}
	return len(p), nil
}

// hold lets writes gather until release.
func (b *burst) hold() {
	b.mu.Lock()
	b.held++
	b.mu.Unlock()
}

func (b *burst) release() {
	b.mu.Lock()
	b.held--
	b.mu.Unlock()
	signal(b.kick)
}

func (b *burst) unwritten() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buf)
}

func (b *burst) write() {
	defer close(b.done)
	var spare []byte
	for range b.kick {
		b.mu.Lock()
		out, closing := b.buf, b.closing
		failed := b.failed
		b.buf = spare[:0]
		b.mu.Unlock()

		if len(out) > 0 && failed == nil {
			if err := b.flush(out); err != nil {
				b.mu.Lock()
				b.failed = err
				b.mu.Unlock()
				b.drop(err)
			}
		}
		if spare = out; cap(spare) > writeAhead {
			spare = nil
		}
		signal(b.flushed)
		if closing {
			return
		}
	}
}

func (b *burst) flush(p []byte) error {
	if err := b.Conn.SetWriteDeadline(time.Now().Add(b.timeout)); err != nil {
		return err
	}
	_, err := b.Conn.Write(p)
	return err
}

// Read fails with the reason once the connection was dropped.
func (b *burst) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.dropped != nil && !b.closing {
			return n, b.dropped
		}
	}
	return n, err
}

// drop makes the next read fail, so that the client notices a lost connection and its broker one without a goodbye.
func (b *burst) drop(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped == nil {
		b.dropped = reason
		_ = b.Conn.SetReadDeadline(time.Unix(1, 0)) // a failure means that reading fails already
	}
}

// SetDeadline bounds reading; writing has its own bound.
func (b *burst) SetDeadline(t time.Time) error { return b.SetReadDeadline(t) }

func (b *burst) SetReadDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped != nil {
		return nil
	}
	return b.Conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: each flush has its own bound.
func (b *burst) SetWriteDeadline(time.Time) error { return nil }

// Close writes what waits, within a second, and closes.
func (b *burst) Close() error {
	b.mu.Lock()
	if b.closing {
		b.mu.Unlock()
		<-b.done
		return nil
	}
	b.closing = true
	b.mu.Unlock()
	signal(b.kick)
	stuck := time.AfterFunc(lastWrite, func() { _ = b.Conn.Close() })
	defer stuck.Stop()
	<-b.done
	return b.Conn.Close()
}

// signal leaves one token; one that still lies there will do.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
