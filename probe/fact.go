package probe

import (
	"fmt"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/capability"
)

// State says how a fact came to be believed.
type State uint8

const (
	Measured  State = iota // read from the machine in this run
	LastKnown              // read earlier; its source could not tell this time
	Declared               // the operator says so
)

var stateNames = [...]string{"measured", "last known", "declared"}

func (s State) String() string { return stateNames[min(s, Declared)] }

// MarshalText writes the state as its words.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the words that MarshalText writes.
func (s *State) UnmarshalText(text []byte) error {
	return parseName(stateNames[:], string(text), "state", (*uint8)(s))
}

// Confidence grades evidence: what the kernel states, what follows from a rule, what only a name suggests.
type Confidence uint8

const (
	High Confidence = iota
	Medium
	Low
)

var confidenceNames = [...]string{"high", "medium", "low"}

func (c Confidence) String() string { return confidenceNames[min(c, Low)] }

// MarshalText writes the confidence as its word.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the word that MarshalText writes.
func (c *Confidence) UnmarshalText(text []byte) error {
	return parseName(confidenceNames[:], string(text), "confidence", (*uint8)(c))
}

func parseName(names []string, text, what string, to *uint8) error {
	for i, name := range names {
		if name == text {
			*to = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q is none of %s", what, text, strings.Join(names, ", "))
}

// Evidence is what was read and where. Path is a file of the tree, or tool:NAME for the answer of a program.
type Evidence struct {
	Path       string     `json:"path"`
	Raw        string     `json:"raw"` // as read; a Fact keeps at most its first 256 bytes
	Confidence Confidence `json:"confidence"`
}

// maxRaw bounds the bytes of evidence kept with a fact.
const maxRaw = 256

// Text is the content without the white space around it, nor the zero bytes of a device tree string.
func (e Evidence) Text() string { return strings.Trim(e.Raw, " \t\r\n\x00") }

// With narrows the evidence to raw, the part of the file that counted.
func (e Evidence) With(raw string) Evidence { e.Raw = raw; return e }

// As grades the evidence.
func (e Evidence) As(c Confidence) Evidence { e.Confidence = c; return e }

// kept is the evidence as a fact keeps it: a copy, so that the whole file it was cut from can be freed.
func (e Evidence) kept() Evidence {
	e.Raw = strings.Clone(e.Raw[:min(len(e.Raw), maxRaw)])
	return e
}

// Fact is one tag with the reason to believe it.
type Fact struct {
	Tag      capability.Tag
	Source   string // the subject that found it, or the operator's file or command
	Evidence Evidence
	State    State
	Time     time.Time // when it was last measured or declared

	many bool // its key can have several values
}
