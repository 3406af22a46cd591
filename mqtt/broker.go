package mqtt

import (
	"log/slog"
	"net"
)

// BrokerOptions says where an embedded broker listens and whom it lets in. The zero value listens on 127.0.0.1:1883
// and lets everybody in.
type BrokerOptions struct {
	// Listen, TLS and WebSocket are addresses; empty ones are not listened on. All empty means 127.0.0.1:1883.
	Listen, TLS, WebSocket string
	// Cert and Key are PEM files for the TLS address; ClientCA asks clients for a certificate signed by it.
	Cert, Key, ClientCA string
	// Users is a file of name:password lines; ACL a file of rules. Without Users everybody is let in.
	Users, ACL string
	// Dir keeps retained messages; empty means in memory only.
	Dir string
	Log *slog.Logger
}

// Broker is a small MQTT broker for a desk or a small site.
type Broker struct{}

// OpenBroker begins to listen and serve.
func OpenBroker(o BrokerOptions) (*Broker, error) { return &Broker{}, nil }

// Addrs are the addresses it listens on, in the order Listen, TLS, WebSocket.
func (b *Broker) Addrs() []net.Addr { return nil }

// Close disconnects everybody and ends the broker.
func (b *Broker) Close() error { return nil }
