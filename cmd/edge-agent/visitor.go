package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// visitor is a connection to the broker for as long as a command runs.
type visitor struct {
	fleet    order.Fleet
	client   *mqtt.Client
	messages chan mqtt.Message
	echo     string     // a topic of this visitor's own
	failed   chan error // every broker was tried in vain
	leave    func()     // ends the connection behind what is still to be sent
}

// visit begins to listen to the fleet; the caller ends it with leave.
func visit(ctx context.Context, s settings, filters ...string) (*visitor, error) {
	id := strings.ToLower(rand.Text()[:12])
	v := &visitor{
		fleet: order.Fleet(s.Fleet), messages: make(chan mqtt.Message, 1024), failed: make(chan error, 1),
	}
	v.echo = v.fleet.Root() + "/c/visitor/" + id
	o := s.Broker.connection()
	o.ClientID, o.Clean, o.Root = s.Fleet+":visitor-"+id, true, v.fleet.Root()
	o.FirstRetry, o.LastRetry, o.ConnectTimeout = 200*time.Millisecond, 5*time.Second, 10*time.Second
	o.Receive = func(m mqtt.Message) bool {
		select {
		case v.messages <- m:
			if m.Ack != nil {
				m.Ack.Ack()
			}
			return true
		default:
			return false
		}
	}
	o.Up = func() { _ = v.client.Publish(v.echo, 1, false, []byte("here")) }
	tries := 0
	o.Down = func(err error) {
		if tries++; err != nil && tries >= len(o.Brokers) {
			select {
			case v.failed <- err:
			default:
			}
		}
	}
	var err error
	if v.client, err = mqtt.New(o); err != nil {
		return nil, fail(exitConfig, err, "check broker in the configuration, or --broker")
	}
	wanted := []mqtt.Subscription{{Filter: v.echo, QoS: 1}}
	for _, filter := range filters {
		wanted = append(wanted, mqtt.Subscription{Filter: filter, QoS: 1})
	}
	v.client.Subscribe("visitor", wanted...)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = v.client.Run(ctx) })
	v.leave = sync.OnceFunc(func() { cancel(); running.Wait() })
	return v, nil
}

// errMute says that the broker does not let this visitor hear itself.
var errMute = errors.New("the broker does not send back what it was sent")

// settle hands on what the broker keeps, until all of it has come: the visitor's own message comes behind it.
func (v *visitor) settle(ctx context.Context, take func(mqtt.Message)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errMute)
	defer cancel()
	for {
		select {
		case m := <-v.messages:
			if m.Topic == v.echo {
				return nil
			}
			take(m)
		case err := <-v.failed:
			return fail(exitTransport, fmt.Errorf("no broker could be reached: %w", err),
				"name the broker with --broker, and see whether it runs")
		case <-ctx.Done():
			return fail(exitTimeout, fmt.Errorf("reading what the fleet keeps: %w", context.Cause(ctx)),
				"see whether the broker lets this user read and write below "+v.fleet.Root())
		}
	}
}
