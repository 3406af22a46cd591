package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// bus is the connection to the broker as the agent sees it.
type bus struct{ client *mqtt.Client }

func (b *bus) Subscribe(owner string, subs ...agent.Subscription) {
	asked := make([]mqtt.Subscription, len(subs))
	for i, s := range subs {
		asked[i] = mqtt.Subscription(s)
	}
	b.client.Subscribe(owner, asked...)
}

func (b *bus) Publish(topic string, qos byte, retained bool, payload []byte) error {
	return b.client.Publish(topic, qos, retained, payload)
}

func (b *bus) Send(p *dispatch.Publication) bool {
	return b.client.Send(&mqtt.Row{
		Daemon: p.Daemon, Epoch: p.Epoch, Incarnation: p.Incarnation, Link: p.Link, Payload: p.Payload, Time: p.Wall,
		Send: *p.Send,
	})
}

func (b *bus) Connected() bool { return b.client.Connected() }
func (b *bus) Hold()           { b.client.Hold() }
func (b *bus) Release()        { b.client.Release() }

// decoder reads the payloads of an input.
func decoder(in order.Input) (dispatch.Decode, error) {
	reading := mqtt.Reading{Format: in.Format.Mesh(), ID: string(in.ID.JSON), Source: string(in.Source.JSON)}
	decode, err := mqtt.Decoder(reading)
	return dispatch.Decode(decode), err
}

// connection turns the broker's settings into a client's options.
func (s brokerSettings) connection() mqtt.Options {
	profile, _ := mqtt.ParseProfile(s.Profile) // checked with the settings
	return mqtt.Options{
		Profile: profile,
		Brokers: s.URLs, Credentials: s.credentials(), Proxy: s.Proxy, KeepAlive: s.KeepAlive, BacklogRate: s.Backfill,
		TLS: mqtt.TLS{CA: s.CA, Cert: s.Cert, Key: s.Key, Server: s.ServerName, ALPN: s.ALPN},
	}
}

// credentials are asked for anew at each attempt, so that a password can be exchanged while the agent runs.
func (s brokerSettings) credentials() func(context.Context) (user, password string, err error) {
	if s.User == "" && s.PasswordFile == "" {
		return nil
	}
	return func(context.Context) (string, string, error) {
		if s.PasswordFile == "" {
			return s.User, s.Password, nil
		}
		text, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return "", "", fmt.Errorf("reading the broker's password: %w", err)
		}
		return s.User, strings.TrimRight(string(text), "\r\n"), nil
	}
}
