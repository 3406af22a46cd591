package mqtt

import (
	"context"
	"errors"
	"sync"
)

var errHeld = errors.New("held, so that the broker sends again what was not acknowledged")

// barrier keeps the client from its broker while somebody holds it.
type barrier struct {
	mu   sync.Mutex
	open chan struct{} // closed by Release; nil while nobody holds
	link *link         // the newest connection
}

// Hold drops the connection and lets no other be made until Release. What the broker has not had acknowledged by now it
// sends again after that: acknowledgements of the old connection are dropped from here on.
func (c *Client) Hold() {
	b := &c.barrier
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(chan struct{})
	}
	if b.link != nil {
		b.link.part()
	}
}

// Release ends a Hold; without one it does nothing.
func (c *Client) Release() {
	b := &c.barrier
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open != nil {
		close(b.open)
		b.open = nil
	}
}

// wait returns when nobody holds it, or false when the context has ended.
func (b *barrier) wait(ctx context.Context) bool {
	b.mu.Lock()
	open := b.open
	b.mu.Unlock()
	if open != nil {
		select {
		case <-open:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// enter makes a new connection known, and drops it if it is held meanwhile.
func (b *barrier) enter(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = l
	if b.open != nil {
		l.part()
	}
}

func (l *link) part() {
	l.acks.end()
	l.conn.drop(errHeld)
}
