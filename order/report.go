package order

import (
	"fmt"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// Report is a node's answer about one daemon: the only proof that an assignment was carried out.
type Report struct {
	Term       uint64            `json:"term"`
	Generation uint64            `json:"generation"`
	Epoch      uint64            `json:"epoch,omitzero"`
	State      Phase             `json:"state"`
	Wanted     State             `json:"wanted,omitzero"`
	Kind       string            `json:"kind,omitzero"`
	Name       string            `json:"name,omitzero"` // as the daemon calls itself
	Refused    Refusal           `json:"refused,omitzero"`
	Asked      uint64            `json:"asked,omitzero"` // the generation that was refused
	Seen       uint64            `json:"seen,omitzero"`  // the number that stands against a refused one
	Error      string            `json:"error,omitzero"` // why it is not as wanted, for people
	Mistakes   Mistakes          `json:"mistakes,omitzero"`
	Unmet      []Need            `json:"unmet,omitzero"`
	Ignored    []string          `json:"ignored,omitzero"` // paths of the assignment that this node does not know
	Body       string            `json:"body,omitzero"`    // names what is held, as Assignment.Body does
	Durability Durability        `json:"durability,omitzero"`
	Inputs     []Promise         `json:"inputs,omitzero"`
	Head       *Head             `json:"head,omitzero"`
	Health     *Health           `json:"health,omitzero"`
	Saturation float64           `json:"saturation,omitzero"` // 0 to 1
	Stats      map[string]uint64 `json:"stats,omitzero"`
	Time       string            `json:"time,omitzero"` // when it was written, RFC 3339
	Unknown
}

// Document is report.
func (*Report) Document() string { return "report" }

func (r *Report) check(m *Mistakes) {
	if r.State == "" {
		m.add("state", "is missing", "want "+orList(r.State.words()))
	}
	checkShare("saturation", r.Saturation, m)
}

func checkShare(path string, share float64, m *Mistakes) {
	if !(share >= 0 && share <= 1) {
		m.add(path, fmt.Sprintf("is %v", share), "want a number from 0 to 1")
	}
}

// Need is a requirement that a node does not meet.
type Need struct {
	Term   string `json:"term"`
	Have   string `json:"have,omitzero"`
	Change string `json:"change"`
	Unknown
}

// NeedsOf says the same as a filter or a set does.
func NeedsOf(unmet []capability.Unmet) []Need {
	needs := make([]Need, len(unmet))
	for i, u := range unmet {
		needs[i] = Need{Term: u.Term, Have: u.Have, Change: u.Change}
	}
	return needs
}

// Head is where a daemon's chain stands. Hashes are 16 hexadecimal digits.
type Head struct {
	Origin      string `json:"origin"`
	Sequence    uint64 `json:"sequence"`
	Horizon     string `json:"horizon"`
	Parent      string `json:"parent"`
	Next        string `json:"next"` // the parent that the next link will carry
	Epoch       uint64 `json:"epoch"`
	Incarnation uint32 `json:"incarnation,omitzero"`
	Unknown
}

// HeadOf is the head in words.
func HeadOf(h mesh.Head) *Head {
	hex := func(n uint64) string { return fmt.Sprintf("%016x", n) }
	return &Head{
		Origin: hex(uint64(h.Link.Origin)), Sequence: h.Link.Sequence, Horizon: hex(uint64(h.Link.Horizon)),
		Parent: hex(h.Link.Parent), Next: hex(h.Next), Epoch: h.Epoch, Incarnation: h.Incarnation,
	}
}

// Health is how a daemon or a node feels, with a reason unless it is healthy.
type Health struct {
	Level  Grade  `json:"level,omitzero"`
	Reason string `json:"reason,omitzero"`
	Unknown
}

// HealthOf is the health in words.
func HealthOf(h mesh.Health) *Health {
	return &Health{Level: Grade(h.Level.String()), Reason: h.Reason}
}
