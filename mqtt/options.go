package mqtt

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// Options says which broker to use and whom to tell. Brokers, ClientID and Receive must be set.
type Options struct {
	// Brokers are URLs, tried in turn: tcp:// mqtt:// tls:// ssl:// mqtts:// ws:// wss://.
	Brokers  []string
	ClientID string
	// Clean asks the broker to forget the client when it leaves: for programs that come and go.
	Clean bool
	// Credentials is asked anew for each attempt to connect; nil means none.
	Credentials func(ctx context.Context) (user, password string, err error)
	TLS         TLS
	// Proxy is http://, https:// or socks5://; empty means as the environment says, "none" a direct connection.
	Proxy string

	// Profile is what the broker cannot do; the zero one allows everything.
	Profile Profile

	// Will is asked anew for each attempt to connect: what the broker publishes when it loses this client.
	Will func() Will
	// Receive takes the messages, in order. It must not block; false means that there is no room now.
	Receive func(Message) bool
	// Up is called on each connection once the subscriptions have been sent and before any document is published.
	Up func()
	// Down is called when a connection is lost or cannot be made, with the reason.
	Down func(error)
	// Granted is called with the broker's answer to each filter: err is nil if it was granted.
	Granted func(s Subscription, err error)
	// Denied is called when the broker swallows what this client publishes: see Echo.
	Denied func(topic string)
	// Echo is a topic that the client is subscribed to and publishes a document on at each connection, such as its
	// presence. Brokers acknowledge a publish they deny, so hearing it back is the only proof of permission.
	Echo string
	// Outbox holds the durable outputs; nil means there are none.
	Outbox Outbox
	// Root is the topic prefix of the fleet; it names the source of CloudEvents.
	Root string

	Log *slog.Logger

	// ConnectTimeout bounds one attempt, by default 30 s.
	ConnectTimeout time.Duration
	// KeepAlive is 30 s by default, PingTimeout 20 s.
	KeepAlive, PingTimeout time.Duration
	// ConfirmTimeout is how long a broker may take to confirm a publication before it is given up, by default 60 s.
	ConfirmTimeout time.Duration
	// EchoTimeout is 30 s by default.
	EchoTimeout time.Duration
	// FirstRetry and LastRetry bound the pause between attempts, by default 1 s and 90 s; it doubles and is jittered.
	FirstRetry, LastRetry time.Duration
	// Grace is how long Run goes on sending after its context ended, by default 5 s.
	Grace time.Duration
	// Window is how many messages may await the broker's acknowledgement, by default 20.
	Window int
	// BacklogRate limits rows that were in the outbox when a connection began, in rows a second, by default 2,000.
	BacklogRate int
	// Waiting bounds the QoS 1 messages kept while Receive has no room, by default 1,024, WaitingBytes 4 MiB.
	Waiting, WaitingBytes int
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Up == nil {
		o.Up = func() {}
	}
	if o.Down == nil {
		o.Down = func(error) {}
	}
	if o.Granted == nil {
		o.Granted = func(Subscription, error) {}
	}
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 30*time.Second)
	o.KeepAlive = cmp.Or(o.KeepAlive, 30*time.Second)
	o.PingTimeout = cmp.Or(o.PingTimeout, 20*time.Second)
	o.ConfirmTimeout = cmp.Or(o.ConfirmTimeout, time.Minute)
	o.EchoTimeout = cmp.Or(o.EchoTimeout, 30*time.Second)
	o.FirstRetry = cmp.Or(o.FirstRetry, time.Second)
	o.LastRetry = cmp.Or(o.LastRetry, 90*time.Second)
	o.Grace = cmp.Or(o.Grace, 5*time.Second)
	o.Window = cmp.Or(o.Window, 20)
	o.BacklogRate = cmp.Or(o.BacklogRate, 2000)
	o.Waiting = cmp.Or(o.Waiting, 1024)
	o.WaitingBytes = cmp.Or(o.WaitingBytes, 4<<20)
	return o
}

// TLS says how to trust the broker and how to prove who this client is. Files are read anew for each connection.
type TLS struct {
	// CA is a PEM file; empty means the system's.
	CA string
	// Cert and Key are PEM files of a client certificate.
	Cert, Key string
	// Server is the name expected in the broker's certificate; empty means the one of the URL.
	Server string
	// ALPN names protocols, needed where a broker shares port 443.
	ALPN []string
}

// Will is the last message of a client, published by the broker.
type Will struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
}

// Stats counts what a client did since it was made.
type Stats struct {
	Connects  uint64 // connections made
	Failures  uint64 // attempts that failed
	Lost      uint64 // connections lost
	Forced    uint64 // connections dropped on purpose because Receive had no room
	Received  uint64 // messages handed to Receive
	Dropped   uint64 // QoS 0 messages without room
	Waiting   uint64 // QoS 1 messages waiting for room now
	Published uint64 // messages confirmed by the broker, or written at QoS 0
	Refused   uint64 // documents, QoS 0 outputs and rows that could not be taken or sent
	Inflight  uint64 // messages awaiting the broker now
}
