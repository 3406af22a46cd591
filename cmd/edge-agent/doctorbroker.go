package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// brokers tries each broker as the agent would.
func (d *doctor) brokers(ctx context.Context) {
	for _, broker := range d.settings.Broker.URLs {
		d.broker(ctx, broker)
	}
}

// call is one try of a broker.
type call struct {
	failed chan error         // it cannot be reached
	up     chan struct{}      // connected and subscribed
	heard  chan struct{}      // what was sent has come back
	denied chan string        // a filter that was not granted
	leave  context.CancelFunc // hangs up
	joined sync.WaitGroup
}

// broker connects, and sends itself a message below the node's own topics: a broker confirms what it denies, so only
// the echo proves the permission.
func (d *doctor) broker(ctx context.Context, url string) {
	const check = "broker"
	shown := withoutPassword(url)
	c, err := d.dial(ctx, url)
	if err != nil {
		d.wrong(check, "check broker in the configuration", "%s: %v", shown, err)
		return
	}
	defer c.joined.Wait()
	defer c.leave()
	timeout := time.NewTimer(d.wait)
	defer timeout.Stop()
	select {
	case <-c.up:
	case err := <-c.failed:
		found, next := brokerTrouble(err)
		d.wrong(check, next, "%s: %s: %v", shown, found, err)
		return
	case <-timeout.C:
		d.wrong(check, "see whether a firewall or another service is in the way, or give it longer with --wait",
			"%s: no answer in %s", shown, d.wait)
		return
	case <-ctx.Done():
		return
	}
	below := order.Fleet(d.settings.Fleet).Root()
	rules := "let this user write n/" + string(d.me()) + "/# and read n/" + string(d.me()) + "/# and d/" +
		string(d.me()) + "/# below " + below
	select {
	case filter := <-c.denied:
		d.wrong(check, rules, "%s: reached, but it denies to read %s", shown, filter)
		return
	default: // every filter was answered before
	}
	timeout.Reset(d.echo)
	select {
	case <-c.heard:
		d.fine(check, "%s: reached, and lets this node write and read below %s", shown, below)
	case err := <-c.failed:
		d.wrong(check, "see the broker's log", "%s: reached, but it hung up: %v", shown, err)
	case <-timeout.C:
		d.wrong(check, rules, "%s: reached, but what was sent did not come back in %s", shown, d.echo)
	case <-ctx.Done():
	}
}

// me is the node's id as far as it is known here: the broker's rules may depend on it.
func (d *doctor) me() mesh.NodeID {
	for _, name := range []string{d.settings.Node, string(d.node.Node), d.settings.Broker.User} {
		if id, err := mesh.ParseNodeID(name); err == nil {
			return id
		}
	}
	return "doctor"
}

func (d *doctor) dial(ctx context.Context, url string) (*call, error) {
	c := &call{
		failed: make(chan error, 1), up: make(chan struct{}), heard: make(chan struct{}), denied: make(chan string, 1),
	}
	me, fleet := d.me(), order.Fleet(d.settings.Fleet)
	word := strings.ToLower(rand.Text()[:12])
	echo := fleet.Root() + "/n/" + string(me) + "/doctor"
	o := d.settings.Broker.connection()
	o.Brokers, o.ClientID, o.Clean, o.Root = []string{url}, d.settings.Fleet+".doctor-"+word, true, fleet.Root()
	o.ConnectTimeout, o.FirstRetry, o.Grace = d.wait, time.Hour, time.Millisecond
	var client *mqtt.Client
	var once sync.Once
	o.Receive = func(m mqtt.Message) bool {
		if m.Topic == echo && string(m.Payload) == word {
			once.Do(func() { close(c.heard) })
		}
		if m.Ack != nil {
			m.Ack.Ack()
		}
		return true
	}
	o.Up = func() {
		_ = client.Publish(echo, 1, false, []byte(word)) // a topic that can always be published on
		close(c.up)
	}
	o.Down = func(err error) {
		select {
		case c.failed <- cmp.Or(err, errHungUp):
		default:
		}
	}
	o.Granted = func(s mqtt.Subscription, err error) {
		if err == nil {
			return
		}
		select {
		case c.denied <- s.Filter:
		default:
		}
	}
	client, err := mqtt.New(o)
	if err != nil {
		return nil, err
	}
	client.Subscribe("doctor", mqtt.Subscription{Filter: echo, QoS: 1},
		mqtt.Subscription{Filter: fleet.AllAssigned(me), QoS: 0})
	ctx, c.leave = context.WithCancel(ctx)
	c.joined.Go(func() { _ = client.Run(ctx) })
	return c, nil
}

var errHungUp = errors.New("the connection was closed")

// brokerTrouble tells the ways apart in which a broker is not reached, and what to do about each.
func brokerTrouble(err error) (found, next string) {
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(err, mqtt.ErrRefused):
		return "it refuses who this is", "check broker.user and the password, and the broker's list of users"
	case errors.As(err, &name):
		return "its name is not known", "mend the name in broker.urls, or the name server"
	case errors.As(err, &authority):
		return "TLS: its certificate is signed by nobody who is trusted", "name the authority's PEM file in broker.ca"
	case errors.As(err, &host):
		return "TLS: its certificate is for another name", "use that name in broker.urls, or set broker.server_name"
	case errors.As(err, &invalid):
		return "TLS: its certificate is not valid", "see whether this clock is right, and renew the certificate"
	case errors.As(err, &record):
		return "TLS: no TLS is spoken there", "use tcp:// or ws://, or the broker's port for TLS"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return "a file cannot be read", "mend broker.ca, cert, key or password_file, or who may read them"
	case strings.Contains(err.Error(), "tls: "):
		return "TLS: the handshake failed",
			"see whether this is the broker's port for TLS, and whether it takes broker.cert and broker.key"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there", "start the broker, or mend the address in broker.urls"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to it", "see whether this machine has a network and a route"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "it does not answer", "see whether a firewall is in the way, or give it longer with --wait"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE):
		return "it hung up at once", "see whether the port wants TLS (tls://) or websockets (ws://), and the broker's log"
	}
	return "it cannot be used", "see the broker's log"
}
