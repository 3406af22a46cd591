package mqtt

import (
	"context"
	"errors"
)

// Client is one node's connection to its broker.
type Client struct {
	o Options
}

// New checks the options and starts nothing.
func New(o Options) (*Client, error) {
	if len(o.Brokers) == 0 || o.ClientID == "" || o.Receive == nil {
		return nil, errors.New("mqtt client: brokers, client id and receiver must be set")
	}
	return &Client{o: o}, nil
}

// Run keeps the client connected until the context ends, then sends what waits and says goodbye.
func (c *Client) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Subscribe replaces what one owner wants to hear; no subscriptions take the owner out. The broker is asked for the
// union of all owners, now and on each connection.
func (c *Client) Subscribe(owner string, subs ...Subscription) {}

// Publish sends a control document. A retained one replaces the document that waits on its topic and is sent again on
// each connection; others are sent once, in order, and at QoS 0 only while connected. The payload is kept.
func (c *Client) Publish(topic string, qos byte, retained bool, payload []byte) error { return nil }

// Send publishes an output that has no row in the outbox, at most once. The payload is copied. False means that it was
// dropped: there is no connection or no room.
func (c *Client) Send(r *Row) bool { return false }

// Wake tells the publisher that the outbox has new rows.
func (c *Client) Wake() {}

// Connected reports whether a connection is open.
func (c *Client) Connected() bool { return false }

// Stats is a snapshot of the counters.
func (c *Client) Stats() Stats { return Stats{} }
