package probe

import (
	"fmt"
	"time"
)

// Subject is one thing a machine can be asked about. It lives in one file, with the words it may say.
type Subject struct {
	Name    string
	Words   []Word
	Uevents []string      // kernel subsystems whose changes ask it again
	Slow    bool          // Watch does not wait for it: its answer comes later
	Timeout time.Duration // instead of the Options'
	Probe   func(*Pass) error
}

// Status is how a subject answered.
type Status uint8

const (
	Present Status = iota // a complete answer with at least one fact
	Absent                // a complete answer: nothing of the kind is here
	Unsure                // could not tell, in whole or in part
)

var statusNames = [...]string{"present", "absent", "could not tell"}

func (s Status) String() string { return statusNames[min(s, Unsure)] }

// MarshalText writes the status as its words.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Report is how one subject fared in a run.
type Report struct {
	Subject string        `json:"subject"`
	Status  Status        `json:"status"`
	Reason  string        `json:"reason,omitempty"` // why it could not tell
	Took    time.Duration `json:"took_ns"`
	Doubts  []Doubt       `json:"doubts,omitempty"`
}

// Doubt names the tags a subject could not tell about: those at Prefix and below it; all of its own when empty.
type Doubt struct {
	Prefix string `json:"prefix"`
	Reason string `json:"reason"`
}

// Subjects lists everything the agent asks a machine about, in the order it is shown.
func Subjects() []Subject {
	return []Subject{
		cpuSubject(),
		memorySubject(),
		gpuSubject(),
		gpuCapacitySubject(),
		acceleratorSubject(),
		storageSubject(),
		networkSubject(),
		sensorsSubject(),
		wireSubject(),
		cameraSubject(),
		busSubject(),
		peripheralSubject(),
		boardSubject(),
		osSubject(),
		platformSubject(),
		securitySubject(),
		runtimesSubject(),
	}
}

func (d Doubt) String() string {
	if d.Prefix == "" {
		return d.Reason
	}
	return fmt.Sprintf("%s: %s", d.Prefix, d.Reason)
}
