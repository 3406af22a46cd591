package order

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
)

// Assignment is the order to one node about one daemon; both are named by its topic.
type Assignment struct {
	Term       uint64 `json:"term"` // 0 is by hand
	Generation uint64 `json:"generation"`
	Epoch      uint64 `json:"epoch,omitzero"` // 0 keeps the node's own, or begins with 1
	State      State  `json:"state"`
	Force      bool   `json:"force,omitzero"`
	Spec       Spec   `json:"spec,omitzero"` // not needed to stop
	Unknown
}

// Document is assignment.
func (*Assignment) Document() string { return "assignment" }

func (a *Assignment) check(m *Mistakes) {
	if a.Generation == 0 {
		m.add("generation", "is missing or 0", "want 1, and one more for each change")
	}
	switch a.State {
	case "":
		m.add("state", "is missing", "want "+orList(a.State.words()))
	case Run, Standby, Frozen:
		a.Spec.check("spec", m)
	default:
		if !isZero(reflect.ValueOf(a.Spec)) {
			a.Spec.check("spec", m)
		}
	}
}

// Body names what the assignment asks for, beside its numbers: equal bodies have equal names.
func (a Assignment) Body() string {
	a.Term, a.Generation, a.Epoch, a.Force = 0, 0, 0, false
	var mistakes Mistakes // a body that cannot be encoded is refused elsewhere
	hash := sha256.Sum256(encode(nil, "", reflect.ValueOf(a), &mistakes))
	return hex.EncodeToString(hash[:16])
}

// Held is what a node remembers of the last assignment it took up for a daemon; the zero value of none.
type Held struct {
	Seen       uint64 // the highest term that the node has seen for any daemon
	Term       uint64
	Generation uint64 // 0 when there was none
	Epoch      uint64
	Body       string
}

// Action is what to do with an assignment.
type Action uint8

const (
	Refuse Action = iota
	Repeat        // it is held already: report again
	Apply
)

// Verdict is what a node makes of an assignment.
type Verdict struct {
	Action Action
	Reason Refusal // of a refusal
	Seen   uint64  // the number that stands against the refused one
	Epoch  uint64  // the epoch to run with, of what is not refused
}

// maxJump is how far a number may run ahead, so that one wrong document cannot use numbers up.
const maxJump = 1 << 20

// Judge compares an assignment with what the node holds. Terms come before generations; an epoch never falls.
func (h Held) Judge(a Assignment) Verdict {
	refuse := func(reason Refusal, seen uint64) Verdict { return Verdict{Reason: reason, Seen: seen} }
	byHand := a.Term == 0
	switch {
	case byHand && h.Term > 0 && !a.Force:
		return refuse(StaleTerm, h.Term)
	case !byHand && a.Term < h.Seen:
		return refuse(StaleTerm, h.Seen)
	case a.Term > h.Seen+maxJump:
		return refuse(Jump, h.Seen)
	case a.Generation > h.Generation+maxJump:
		return refuse(Jump, h.Generation)
	case a.Epoch > h.Epoch+maxJump:
		return refuse(Jump, h.Epoch)
	case a.Epoch != 0 && a.Epoch < h.Epoch:
		return refuse(StaleEpoch, h.Epoch)
	}
	epoch := max(a.Epoch, h.Epoch, 1)
	switch {
	case h.Generation == 0 || a.Term != h.Term || a.Generation > h.Generation:
		return Verdict{Action: Apply, Epoch: epoch}
	case a.Generation < h.Generation:
		return refuse(Stale, h.Generation)
	case a.Body() != h.Body || epoch != h.Epoch:
		return refuse(Conflict, h.Generation)
	}
	return Verdict{Action: Repeat, Epoch: epoch}
}

// After is what a node holds once it has taken the assignment up with the verdict's epoch.
func (h Held) After(a Assignment, v Verdict) Held {
	return Held{
		Seen: max(h.Seen, a.Term), Term: a.Term, Generation: a.Generation, Epoch: v.Epoch, Body: a.Body(),
	}
}
