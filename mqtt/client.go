package mqtt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// Client is one node's connection to its broker.
type Client struct {
	o      Options
	log    *slog.Logger
	subs   subscriptions
	docs   documents
	direct direct
	woken  chan struct{} // the outbox has new rows
	counts counters

	connected atomic.Bool
	barrier   barrier
	loose     sync.WaitGroup // goroutines of lost connections that may still wait for the MQTT client
}

// New checks the options and starts nothing.
func New(o Options) (*Client, error) {
	switch {
	case len(o.Brokers) == 0:
		return nil, errors.New("mqtt client: no broker given")
	case o.ClientID == "":
		return nil, errors.New("mqtt client: no client id given")
	case o.Receive == nil:
		return nil, errors.New("mqtt client: no receiver given")
	}
	for _, broker := range o.Brokers {
		u, err := parseBroker(broker)
		if err != nil {
			return nil, err
		}
		if _, err := o.via(u); err != nil {
			return nil, err
		}
	}
	c := &Client{o: o.withDefaults(), woken: make(chan struct{}, 1)}
	c.o.Brokers = slices.Clone(o.Brokers)
	c.log = c.o.Log
	c.subs = subscriptions{changed: make(chan struct{}, 1), owners: map[string][]Subscription{}}
	c.docs = documents{wake: make(chan struct{}, 1), kept: map[string]*document{}}
	c.direct = direct{wake: make(chan struct{}, 1)}
	return c, nil
}

// Run keeps the client connected until the context ends, then sends what waits and says goodbye.
func (c *Client) Run(ctx context.Context) error {
	defer c.loose.Wait()
	pause := c.o.FirstRetry
	for attempt := 0; c.barrier.wait(ctx); attempt++ {
		l, err := c.connect(ctx, c.o.Brokers[attempt%len(c.o.Brokers)])
		if err == nil {
			c.counts.connects.Add(1)
			began := time.Now()
			c.barrier.enter(l)
			err = c.serve(ctx, l)
			if ctx.Err() != nil {
				return nil
			}
			c.counts.lost.Add(1)
			if time.Since(began) > c.o.LastRetry {
				pause = c.o.FirstRetry
			}
			attempt-- // the same broker first
		} else if ctx.Err() == nil {
			c.counts.failures.Add(1)
		}
		c.o.Down(err)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
		pause = min(2*pause, c.o.LastRetry)
	}
	return nil
}

// Subscribe replaces what one owner wants to hear; no subscriptions take the owner out. The broker is asked for the
// union of all owners, now and on each connection. What the broker's profile does not allow is answered at once.
func (c *Client) Subscribe(owner string, subs ...Subscription) {
	for s, err := range c.subs.set(owner, subs, c.o.Profile) {
		c.o.Granted(s, err)
	}
}

// Publish sends a control document. A retained one replaces the document that waits on its topic and is sent again on
// each connection; others are sent once, in order, and at QoS 0 only while connected. The payload is kept.
func (c *Client) Publish(topic string, qos byte, retained bool, payload []byte) error {
	err := cmp.Or(order.CheckTopic(topic), checkQoS(qos))
	if err == nil {
		err = c.docs.put(topic, qos, retained, payload)
	}
	if err != nil {
		c.counts.refused.Add(1)
	}
	return err
}

// Send publishes an output that has no row in the outbox, at most once. The payload is copied. False means that it was
// dropped: there is no connection or no room.
func (c *Client) Send(r *Row) bool {
	payload, err := Encode(c.o.Root, r)
	if err != nil || checkPublish(r.Send.Topic, payload) != nil || checkQoS(r.Send.QoS) != nil {
		c.counts.refused.Add(1)
		return false
	}
	if r.Send.Format == mesh.Raw {
		payload = slices.Clone(payload)
	}
	ok := c.direct.put(flight{topic: r.Send.Topic, qos: r.Send.QoS, retained: r.Send.Retained, payload: payload})
	if !ok {
		c.counts.refused.Add(1)
	}
	return ok
}

// Wake tells the publisher that the outbox has new rows.
func (c *Client) Wake() { signal(c.woken) }

// Connected reports whether a connection is open and subscribed.
func (c *Client) Connected() bool { return c.connected.Load() }

// Stats is a snapshot of the counters.
func (c *Client) Stats() Stats {
	n := &c.counts
	return Stats{
		Connects: n.connects.Load(), Failures: n.failures.Load(), Lost: n.lost.Load(), Forced: n.forced.Load(),
		Received: n.received.Load(), Dropped: n.dropped.Load(), Waiting: uint64(max(0, n.waiting.Load())),
		Published: n.published.Load(), Refused: n.refused.Load(), Inflight: uint64(max(0, n.inflight.Load())),
	}
}

func checkQoS(qos byte) error {
	if qos > 1 {
		return fmt.Errorf("quality of service %d: want 0 or 1", qos)
	}
	return nil
}
