package order

import (
	"fmt"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// Caps say what a node is and what it can run.
type Caps struct {
	Revision uint64            `json:"revision"` // one more for each change
	Node     mesh.NodeID       `json:"node"`
	Version  string            `json:"version,omitzero"` // of the agent
	Tags     []capability.Tag  `json:"tags"`
	Metadata map[string]string `json:"metadata,omitzero"`
	Kinds    []Kind            `json:"kinds,omitzero"`
	Limits   map[string]uint64 `json:"limits,omitzero"`
	Evidence []Evidence        `json:"evidence,omitzero"`
	Time     string            `json:"time,omitzero"` // RFC 3339
	Unknown
}

// Document is caps.
func (*Caps) Document() string { return "caps" }

func (c *Caps) check(m *Mistakes) {
	checkNode("node", c.Node, m)
	if _, err := c.Set(); err != nil {
		m.add("tags", "are wrong", err.Error())
	}
}

// Set is what the node has.
func (c *Caps) Set() (capability.Set, error) {
	set, err := capability.NewSet(c.Tags...)
	if err != nil {
		return capability.Set{}, err
	}
	return set.WithMetadata(c.Metadata)
}

// Kind is a kind of daemon as a node offers it.
type Kind struct {
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Summary  string            `json:"summary,omitzero"`
	Stateful bool              `json:"stateful,omitzero"`
	Schema   uint32            `json:"schema,omitzero"` // of its snapshots
	Requires capability.Filter `json:"requires,omitzero"`
	Unknown
}

// KindOf describes a kind.
func KindOf(k mesh.Kind) Kind {
	return Kind{
		Name: k.Name, Version: k.Version, Summary: k.Summary, Stateful: k.Stateful, Schema: k.Schema,
		Requires: k.Requirements,
	}
}

// Evidence says how well one subject of the machine is known.
type Evidence struct {
	Subject string `json:"subject"`
	Answer  string `json:"answer"` // complete, partial or none
	Facts   uint32 `json:"facts"`
	Since   string `json:"since,omitzero"` // how old the facts are where they are only the last known, RFC 3339
	Error   string `json:"error,omitzero"`
	Unknown
}

// Presence says that a node is there, and, as its will, that it is not.
type Presence struct {
	Node     mesh.NodeID `json:"node"`
	Boot     uint64      `json:"boot"`     // one more for each start of the node
	Attempt  uint64      `json:"attempt"`  // one more for each connection
	Instance string      `json:"instance"` // 128 random bits per start, hexadecimal
	State    Life        `json:"state"`
	Caps     string      `json:"caps,omitzero"` // digest of the caps document
	Time     string      `json:"time,omitzero"` // RFC 3339
	Unknown
}

// Life is where a node stands between start and end.
type Life string

const (
	Init    Life = "init"
	Ready   Life = "ready"
	Leaving Life = "draining"
	Down    Life = "down"
)

func (Life) words() []string {
	return []string{string(Init), string(Ready), string(Leaving), string(Down)}
}

// Document is presence.
func (*Presence) Document() string { return "presence" }

func (p *Presence) check(m *Mistakes) {
	checkNode("node", p.Node, m)
	if p.State == "" {
		m.add("state", "is missing", "want "+orList(p.State.words()))
	}
	if len(p.Instance) != 32 || !isHex(p.Instance) {
		m.add("instance", "is "+brief(p.Instance), "want 32 hexadecimal digits")
	}
}

func isHex(text string) bool {
	for _, r := range text {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// Heartbeat is how a node fares.
type Heartbeat struct {
	Uptime     uint64             `json:"uptime"` // seconds
	Saturation float64            `json:"saturation"`
	Health     Health             `json:"health,omitzero"`
	Free       map[string]uint64  `json:"free,omitzero"`   // such as memory_mb
	Gauges     map[string]float64 `json:"gauges,omitzero"` // such as a temperature
	Outbox     Outbox             `json:"outbox"`
	Daemons    string             `json:"daemons"` // digest over (daemon, generation, state)
	Stats      map[string]uint64  `json:"stats,omitzero"`
	Time       string             `json:"time,omitzero"` // RFC 3339
	Unknown
}

// Outbox is what still waits for the broker.
type Outbox struct {
	Rows  uint64 `json:"rows"`
	Bytes uint64 `json:"bytes"`
	AgeMS uint64 `json:"age_ms"` // of the oldest row
	Unknown
}

// Document is heartbeat.
func (*Heartbeat) Document() string { return "heartbeat" }

func (h *Heartbeat) check(m *Mistakes) { checkShare("saturation", h.Saturation, m) }

// Lifecycle tells what happened to a daemon.
type Lifecycle struct {
	Daemon     mesh.DaemonID `json:"daemon"`
	Event      Happening     `json:"event"`
	Reason     string        `json:"reason,omitzero"`
	Health     *Health       `json:"health,omitzero"`
	Saturation float64       `json:"saturation,omitzero"`
	Time       string        `json:"time,omitzero"` // RFC 3339
	Unknown
}

// Happening is what can happen to a daemon.
type Happening string

const (
	Registered        Happening = "registered"
	Unregistered      Happening = "unregistered"
	Crashed           Happening = "crashed"
	HealthChanged     Happening = "health"
	SaturationChanged Happening = "saturation"
)

func (Happening) words() []string {
	return []string{string(Registered), string(Unregistered), string(Crashed), string(HealthChanged),
		string(SaturationChanged)}
}

// Document is lifecycle event.
func (*Lifecycle) Document() string { return "lifecycle event" }

func (l *Lifecycle) check(m *Mistakes) {
	checkDaemon("daemon", l.Daemon, m)
	if l.Event == "" {
		m.add("event", "is missing", "want "+orList(l.Event.words()))
	}
	checkShare("saturation", l.Saturation, m)
}

// Gap names outputs that will never come, outside the chain that lacks them.
type Gap struct {
	Daemon      mesh.DaemonID `json:"daemon"`
	Epoch       uint64        `json:"epoch"`
	Incarnation uint32        `json:"incarnation,omitzero"`
	From        uint64        `json:"from"` // first and last sequence
	To          uint64        `json:"to"`
	Reason      string        `json:"reason"`
	Time        string        `json:"time,omitzero"` // RFC 3339
	Unknown
}

// Document is gap record.
func (*Gap) Document() string { return "gap record" }

func (g *Gap) check(m *Mistakes) {
	checkDaemon("daemon", g.Daemon, m)
	if g.From == 0 || g.To < g.From {
		m.add("to", fmt.Sprintf("is %d, and from is %d", g.To, g.From), "want from at least 1 and to not below it")
	}
}

func checkNode(path string, id mesh.NodeID, m *Mistakes) {
	if _, err := mesh.ParseNodeID(string(id)); err != nil {
		m.add(path, "is wrong", err.Error())
	}
}

func checkDaemon(path string, id mesh.DaemonID, m *Mistakes) {
	if _, err := mesh.ParseDaemonID(string(id)); err != nil {
		m.add(path, "is wrong", err.Error())
	}
}
