package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// settings are all that an agent is told: by its configuration file, the environment and flags, each stronger than the
// one before.
type settings struct {
	Fleet    string         `yaml:"fleet"`
	Node     string         `yaml:"node"` // empty: from the hostname and the node's key
	StateDir string         `yaml:"state_dir"`
	Metrics  string         `yaml:"metrics"` // address for /metrics and /healthz; empty: only on the socket
	Log      logSettings    `yaml:"log"`
	Broker   brokerSettings `yaml:"broker"`
	Probe    probeSettings  `yaml:"probe"`
	// Daemons run on this node without an assignment.
	Daemons map[mesh.DaemonID]order.Spec `yaml:"daemons"`
}

type logSettings struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// brokerSettings say how to reach the broker and how to prove who this node is.
type brokerSettings struct {
	URLs         []string      `yaml:"urls"`
	User         string        `yaml:"user"`
	Password     string        `yaml:"password"`
	PasswordFile string        `yaml:"password_file"` // read anew for each connection
	CA           string        `yaml:"ca"`
	Cert         string        `yaml:"cert"`
	Key          string        `yaml:"key"`
	ServerName   string        `yaml:"server_name"`
	ALPN         []string      `yaml:"alpn"`
	Proxy        string        `yaml:"proxy"`
	Profile      string        `yaml:"profile"` // generic, aws or nats
	KeepAlive    time.Duration `yaml:"keep_alive"`
	Backfill     int           `yaml:"backfill"` // rows a second of what waited during an outage
}

// probeSettings say what to look at, and what only the operator knows.
type probeSettings struct {
	Every    time.Duration     `yaml:"every"`
	Readings time.Duration     `yaml:"readings"` // how often daemons get this machine's readings
	Network  networkSettings   `yaml:"network"`
	Tags     []string          `yaml:"tags"`
	Metadata map[string]string `yaml:"metadata"`
	FactsDir string            `yaml:"facts_dir"`
	Command  []string          `yaml:"command"`       // prints tags, one on a line
	Interval time.Duration     `yaml:"command_every"` // how often to run it
}

type networkSettings struct {
	Virtual bool `yaml:"virtual"`
}

// defaultSettings is an agent without any configuration.
func defaultSettings() settings {
	return settings{
		Fleet: "default", StateDir: defaultStateDir(), Log: logSettings{Level: "info", Format: "text"},
		Broker: brokerSettings{URLs: []string{"tcp://127.0.0.1:1883"}, Profile: "generic", KeepAlive: 30 * time.Second},
		Probe: probeSettings{
			Every: time.Minute, Readings: time.Second, FactsDir: "/etc/edge-agent/facts.d", Interval: 5 * time.Minute,
		},
	}
}

// defaultStateDir is where packages keep the state when run by root, and the user's own place otherwise.
func defaultStateDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/edge-agent"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "edge-agent")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "edge-agent-state"
	}
	return filepath.Join(home, ".local", "state", "edge-agent")
}
