package order

import (
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Command asks a node to do something once.
type Command struct {
	ID      string        `json:"id"`
	Expires string        `json:"expires"` // RFC 3339; nothing is begun after it
	Do      Verb          `json:"do"`
	Daemon  mesh.DaemonID `json:"daemon,omitzero"` // empty means the node
	Grace   Duration      `json:"grace,omitzero"`
	Lines   uint32        `json:"lines,omitzero"` // of logs
	Unknown
}

// Verb is what a command asks for.
type Verb string

const (
	DrainNode    Verb = "drain"
	Restart      Verb = "restart"
	TakeSnapshot Verb = "snapshot"
	Rebirth      Verb = "rebirth" // publish every retained document again
	Logs         Verb = "logs"
	Lease        Verb = "lease"
)

func (Verb) words() []string {
	return []string{string(DrainNode), string(Restart), string(TakeSnapshot), string(Rebirth), string(Logs),
		string(Lease)}
}

// Document is command.
func (*Command) Document() string { return "command" }

func (c *Command) check(m *Mistakes) {
	checkCommandID(c.ID, m)
	if c.Do == "" {
		m.add("do", "is missing", "want "+orList(c.Do.words()))
	}
	if _, err := time.Parse(time.RFC3339, c.Expires); err != nil {
		m.add("expires", "is "+brief(c.Expires), "want a time such as 2006-01-02T15:04:05Z")
	}
	if c.Daemon != "" {
		checkDaemon("daemon", c.Daemon, m)
	}
}

// Expired reports whether nothing may be begun any more. A node without a clock cannot say: it passes the zero time.
func (c *Command) Expired(now time.Time) bool {
	expires, err := time.Parse(time.RFC3339, c.Expires)
	return err != nil || !now.IsZero() && now.After(expires)
}

// Ack is a node's answer to a command.
type Ack struct {
	ID     string   `json:"id"`
	State  Progress `json:"state"`
	Reason string   `json:"reason,omitzero"`
	Lines  []string `json:"lines,omitzero"` // of logs
	Time   string   `json:"time,omitzero"`  // RFC 3339
	Unknown
}

// Progress is how far a command has come; Done and CommandFailed end it.
type Progress string

const (
	Accepted      Progress = "accepted"
	Executing     Progress = "executing"
	Done          Progress = "done"
	CommandFailed Progress = "failed"
)

func (Progress) words() []string {
	return []string{string(Accepted), string(Executing), string(Done), string(CommandFailed)}
}

// Document is ack.
func (*Ack) Document() string { return "ack" }

func (a *Ack) check(m *Mistakes) {
	checkCommandID(a.ID, m)
	if a.State == "" {
		m.add("state", "is missing", "want "+orList(a.State.words()))
	}
}

func checkCommandID(id string, m *Mistakes) {
	if id == "" || len(id) > 64 {
		m.add("id", "is "+brief(id), "want a text of 1 to 64 bytes")
	}
}
