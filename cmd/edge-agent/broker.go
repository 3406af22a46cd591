package main

import (
	"context"
	"path/filepath"

	"github.com/edge-agent/edge-agent/mqtt"
)

// brokerCommand is a small MQTT broker.
type brokerCommand struct {
	Listen    string `default:"127.0.0.1:1883" help:"Address for MQTT over TCP; empty for none."`
	TLS       string `name:"tls" placeholder:"ADDR" help:"Address for MQTT over TLS; needs --cert and --key."`
	WebSocket string `name:"ws" placeholder:"ADDR" help:"Address for MQTT over websockets."`
	Cert      string `type:"existingfile" placeholder:"PEM" help:"The broker's certificate."`
	Key       string `type:"existingfile" placeholder:"PEM" help:"Its key."`
	ClientCA  string `name:"client-ca" type:"existingfile" placeholder:"PEM" help:"Ask clients for certificates signed by this authority."`
	Users     string `type:"existingfile" placeholder:"FILE" help:"NAME:PASSWORD lines, as mosquitto_passwd writes them or in plain."`
	ACL       string `name:"acl" type:"existingfile" placeholder:"FILE" help:"Access rules, written as for Mosquitto."`
	StateDir  string `placeholder:"DIR" help:"Keep retained messages here; without it they are in memory only."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"How much to log."`
}

func (c *brokerCommand) Run(ctx context.Context, con *console) error {
	log := newLogger(con.Err, logSettings{Level: c.LogLevel})
	dir := c.StateDir
	if dir != "" {
		dir = filepath.Join(dir, "retained")
	}
	b, err := mqtt.OpenBroker(mqtt.BrokerOptions{
		Listen: c.Listen, TLS: c.TLS, WebSocket: c.WebSocket, Cert: c.Cert, Key: c.Key, ClientCA: c.ClientCA,
		Users: c.Users, ACL: c.ACL, Dir: dir, Log: log,
	})
	if err != nil {
		return fail(exitConfig, err, "choose another address with --listen, or mend the file that it names")
	}
	for _, address := range b.Addrs() {
		log.Info("broker listens", "address", address)
	}
	if c.Users == "" && c.ClientCA == "" {
		log.Warn("anybody who reaches this broker may use it; --users or --client-ca ask who they are")
	}
	<-ctx.Done()
	log.Info("broker stops")
	return b.Close()
}
