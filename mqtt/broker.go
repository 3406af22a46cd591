package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"

	mochi "github.com/mochi-mqtt/server/v2"
)

// Bounds of the embedded broker.
const (
	brokerClients  = 4096
	brokerPacket   = 256 << 10
	brokerWaiting  = 8192             // messages that wait for one client
	brokerSessions = 7 * 24 * 60 * 60 // seconds that the session of an absent client is kept
)

// BrokerOptions says where an embedded broker listens and whom it lets in. The zero value listens on 127.0.0.1:1883
// and lets everybody in.
type BrokerOptions struct {
	// Listen, TLS and WebSocket are addresses; empty ones are not listened on. All empty means 127.0.0.1:1883.
	Listen, TLS, WebSocket string
	// Cert and Key are PEM files for the TLS address. With ClientCA clients need a certificate signed by it, whose common
	// name is their user name.
	Cert, Key, ClientCA string
	// Users is a file of name:password lines, as mosquitto_passwd writes them or in plain; without one and without
	// ClientCA everybody is let in. ACL is a file of rules as Mosquitto has them; without one, whoever is in may do
	// anything.
	Users, ACL string
	// Dir keeps retained messages; empty means in memory only.
	Dir string
	Log *slog.Logger
}

// Broker is a small MQTT broker for a desk or a small site. Sessions and what waits for absent clients are in memory.
type Broker struct {
	server    *mochi.Server
	addrs     []net.Addr
	retained  *retained
	listeners []*listener
}

// OpenBroker begins to listen and serve.
func OpenBroker(o BrokerOptions) (*Broker, error) {
	if o.Listen == "" && o.TLS == "" && o.WebSocket == "" {
		o.Listen = "127.0.0.1:1883"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	access, err := readAccess(o.Users, o.ACL, o.ClientCA != "")
	if err != nil {
		return nil, err
	}
	limits := mochi.NewDefaultServerCapabilities()
	limits.MaximumClients = brokerClients
	limits.MaximumPacketSize = brokerPacket
	limits.MaximumInflight = brokerWaiting
	limits.MaximumClientWritesPending = brokerWaiting
	limits.MaximumSessionExpiryInterval = brokerSessions
	limits.MaximumMessageExpiryInterval = 0 // else retained messages would vanish after a day
	b := &Broker{server: mochi.New(&mochi.Options{
		Capabilities: limits, Logger: quiet(o.Log), ClientNetWriteBufferSize: 16 << 10, ClientNetReadBufferSize: 16 << 10,
	})}
	hooks := []mochi.Hook{&gatekeeper{access: access}, &sessions{server: b.server}}
	if o.Dir != "" {
		if b.retained, err = openRetained(o.Dir, o.Log); err != nil {
			return nil, err
		}
		hooks = append(hooks, b.retained)
	}
	for _, hook := range hooks {
		if err := b.server.AddHook(hook, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("broker: %w", err), b.retained.close())
		}
	}
	if err := b.listen(&o); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := b.server.Serve(); err != nil {
		return nil, errors.Join(fmt.Errorf("broker: %w", err), b.Close())
	}
	return b, nil
}

func (b *Broker) listen(o *BrokerOptions) error {
	open := func(kind, address string, config *tls.Config) error {
		if address == "" {
			return nil
		}
		inner, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("broker: %w", err)
		}
		b.addrs = append(b.addrs, inner.Addr())
		l := newListener(kind, inner, config)
		b.listeners = append(b.listeners, l)
		return b.server.AddListener(l)
	}
	var secure *tls.Config
	if o.TLS != "" {
		var err error
		if secure, err = serverConfig(o); err != nil {
			return err
		}
	}
	return cmp.Or(open("tcp", o.Listen, nil), open("tls", o.TLS, secure), open("ws", o.WebSocket, nil))
}

func serverConfig(o *BrokerOptions) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return nil, fmt.Errorf("broker: certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if o.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(o.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("broker: certificate authority of clients: %w", err)
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("broker: certificate authority of clients %s: %w", o.ClientCA, errPEM)
	}
	return config, nil
}

// Addrs are the addresses it listens on, in the order Listen, TLS, WebSocket.
func (b *Broker) Addrs() []net.Addr { return slices.Clone(b.addrs) }

// Close disconnects everybody, keeps the retained messages and ends the broker.
func (b *Broker) Close() error {
	err := b.server.Close()
	for _, l := range b.listeners {
		l.wait()
	}
	return errors.Join(err, b.retained.close())
}

// quiet lets the broker's warnings and errors through and keeps its account of every client to itself.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(floor{log.Handler()}) }

type floor struct{ inner slog.Handler }

func (f floor) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && f.inner.Enabled(ctx, level)
}

func (f floor) Handle(ctx context.Context, r slog.Record) error { return f.inner.Handle(ctx, r) }
func (f floor) WithAttrs(attrs []slog.Attr) slog.Handler        { return floor{f.inner.WithAttrs(attrs)} }
func (f floor) WithGroup(name string) slog.Handler              { return floor{f.inner.WithGroup(name)} }
