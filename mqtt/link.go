package mqtt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	filtersPerSubscribe = 8
	subscribeTimeout    = 30 * time.Second
	// handOver bounds how long the MQTT client may keep a caller waiting after a connection was lost.
	handOver = 4 * time.Second
	// goodbye bounds the sending of a DISCONNECT.
	goodbye = time.Second
	// denied is the code of a SUBACK for a filter that was not granted.
	denied = 0x80
	// lastRefusal is the highest code with which a CONNACK refuses a client.
	lastRefusal = 5
)

var errDenied = errors.New("the broker denies it")

// ErrRefused says that a broker answered and does not take this client: its name, password or client id.
var ErrRefused = errors.New("the broker refuses this client")

// link is one connection, from the broker's acceptance to its loss. A new one is made each time, with an MQTT client of
// its own, so that nothing of an older connection can reach a newer one.
type link struct {
	paho   paho.Client
	conn   *burst
	intake *intake
	acks   *acker
	echo   *echo
	once   sync.Once
	lost   chan struct{} // closed when the connection is lost
	reason error         // why, valid once lost is closed
}

// connect makes one attempt with one broker.
func (c *Client) connect(ctx context.Context, broker string) (*link, error) {
	l := &link{lost: make(chan struct{})}
	number := c.counts.connects.Load() + 1
	var credentials struct{ user, password string }
	if c.o.Credentials != nil {
		var err error
		if credentials.user, credentials.password, err = c.o.Credentials(ctx); err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", display(broker), err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.ConnectTimeout)
	defer cancel()
	conn, err := c.o.dial(ctx, broker)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", display(broker), err)
	}
	l.conn = newBurst(conn, writeTimeout)
	defer context.AfterFunc(ctx, func() { l.conn.drop(context.Cause(ctx)) })()
	l.acks = &acker{conn: l.conn, wake: make(chan struct{}, 1)}
	l.intake = &intake{
		connection: number, receive: c.o.Receive, acks: l.acks, drop: l.conn.drop, counts: &c.counts,
		max: c.o.Waiting, maxBytes: c.o.WaitingBytes,
	}
	l.echo = &echo{topic: c.o.Echo, timeout: c.o.EchoTimeout, denied: c.o.Denied}

	o := c.pahoOptions(l)
	o.AddBroker("tcp://broker") // dialled already; the name is not used
	if c.o.Credentials != nil {
		o.SetUsername(credentials.user).SetPassword(credentials.password)
	} else if user, password, ok := userOf(broker); ok {
		o.SetUsername(user).SetPassword(password)
	}
	if c.o.Will != nil {
		w := c.o.Will()
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained)
	}
	l.paho = paho.NewClient(o)
	c.direct.reset(true) // messages can come, and be answered, before the connection is in full use
	token := l.paho.Connect()
	<-token.Done() // bounded by the deadline of reading
	if err := token.Error(); err != nil {
		c.closeDirect()
		if c, ok := token.(*paho.ConnectToken); ok && c.ReturnCode() > 0 && c.ReturnCode() <= lastRefusal {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", display(broker), err), l.conn.Close())
	}
	return l, nil
}

func (c *Client) pahoOptions(l *link) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.SetProtocolVersion(4).SetClientID(c.o.ClientID).SetCleanSession(c.o.Clean).SetStore(nothing{})
	o.SetAutoReconnect(false).SetConnectRetry(false).SetResumeSubs(false)
	o.SetOrderMatters(true).SetAutoAckDisabled(true)
	o.SetKeepAlive(c.o.KeepAlive).SetPingTimeout(c.o.PingTimeout)
	o.SetConnectTimeout(c.o.ConnectTimeout).SetWriteTimeout(handOver)
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return l.conn, nil })
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		l.echo.hear(m)
		l.intake.take(m)
	})
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { l.lose(err) })
	return o
}

// closeDirect counts what a lost connection leaves unsent.
func (c *Client) closeDirect() { c.counts.refused.Add(uint64(c.direct.reset(false))) }

// serve uses the connection until it is lost or the context ends, and returns why.
func (c *Client) serve(ctx context.Context, l *link) error {
	var own sync.WaitGroup
	stop := make(chan struct{})
	own.Go(func() { l.acks.run(stop) })
	defer own.Wait()
	defer close(stop)
	defer l.intake.close()
	defer l.echo.settle()
	defer c.closeDirect()

	subscribed := make(chan struct{})
	c.loose.Go(func() { c.keepSubscribed(l, subscribed) })
	select {
	case <-subscribed:
	case <-l.lost:
		return l.reason
	case <-ctx.Done():
		l.leave()
		return ctx.Err()
	}

	c.o.Up()
	c.connected.Store(true)
	c.docs.connected()
	last, sent := make(chan struct{}), make(chan struct{})
	own.Go(func() {
		defer close(sent)
		c.publish(l, last)
	})
	defer func() {
		c.connected.Store(false)
		c.docs.disconnected()
	}()
	select {
	case <-l.lost:
		return l.reason
	case <-ctx.Done():
	}
	close(last)
	grace := time.NewTimer(c.o.Grace)
	defer grace.Stop()
	select {
	case <-sent:
	case <-l.lost:
	case <-grace.C:
	}
	l.leave()
	return ctx.Err()
}

func (c *Client) publish(l *link, last <-chan struct{}) {
	p := &publisher{c: c, link: l, feed: make(chan []flight), fed: make(chan []flight)}
	if c.o.Outbox != nil {
		p.rows = newSchedule(c.o.Outbox, c.o.BacklogRate)
	}
	c.loose.Go(p.feeder)
	p.run(last)
}

// leave says goodbye to the broker, which then forgets the will.
func (l *link) leave() {
	l.acks.flush()
	l.paho.Disconnect(uint(goodbye / time.Millisecond))
	l.lose(errors.New("disconnected"))
}

func (l *link) lose(reason error) {
	l.once.Do(func() {
		l.reason = reason
		close(l.lost)
	})
}

// keepSubscribed asks the broker for what is wanted, now and whenever that changes.
func (c *Client) keepSubscribed(l *link, first chan<- struct{}) {
	var have []Subscription
	for {
		want := c.subs.plan()
		ask, leave := difference(have, want)
		for _, batch := range batches(ask, filtersPerSubscribe) {
			if err := c.ask(l, batch); err != nil {
				l.conn.drop(err)
				return
			}
		}
		for batch := range slices.Chunk(leave, filtersPerSubscribe) {
			if err := l.settle("unsubscribe", l.paho.Unsubscribe(batch...)); err != nil {
				l.conn.drop(err)
				return
			}
		}
		have = want
		if first != nil {
			close(first)
			first = nil
		}
		select {
		case <-c.subs.changed:
		case <-l.lost:
			return
		}
	}
}

// ask sends one SUBSCRIBE and passes the broker's answer on.
func (c *Client) ask(l *link, batch []Subscription) error {
	filters := map[string]byte{}
	for _, s := range batch {
		filters[s.Filter] = s.QoS
	}
	token := l.paho.SubscribeMultiple(filters, nil)
	if err := l.settle("subscribe", token); err != nil {
		return err
	}
	granted := maps.Clone(token.(*paho.SubscribeToken).Result())
	for _, s := range batch {
		if code, ok := granted[s.Filter]; ok && code >= denied {
			c.log.Warn("subscription denied", "filter", s.Filter)
			c.o.Granted(s, errDenied)
		} else {
			c.o.Granted(s, nil)
		}
	}
	return nil
}

// settle waits for the broker's answer.
func (l *link) settle(what string, token paho.Token) error {
	timer := time.NewTimer(subscribeTimeout)
	defer timer.Stop()
	select {
	case <-token.Done():
	case <-timer.C:
		return fmt.Errorf("%s: %w", what, errNoConfirm)
	case <-l.lost:
		return l.reason
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// nothing is a store that keeps nothing: what must not be lost is in the outbox.
type nothing struct{}

func (nothing) Open()                             {}
func (nothing) Put(string, packets.ControlPacket) {}
func (nothing) Get(string) packets.ControlPacket  { return nil }
func (nothing) All() []string                     { return nil }
func (nothing) Del(string)                        {}
func (nothing) Close()                            {}
func (nothing) Reset()                            {}
