package mesh

// Trigger says why a daemon is called.
type Trigger uint8

const (
	Message Trigger = iota // an input from a topic or another daemon
	Tick                   // an interval passed
	Result                 // a deferred task ended
	Reading                // a reading of this machine
)

// Event is one input of a daemon. Payload is valid until Process returns and must not be changed: others share it.
type Event struct {
	Trigger Trigger
	Link    Link
	// Daemon, Epoch and Incarnation name the producer when it is a daemon.
	Daemon      DaemonID
	Epoch       uint64
	Incarnation uint32
	// Source and ID identify the input for deduplication; an input without either may repeat.
	Source string
	ID     ID
	Topic  string
	// Time is in nanoseconds and never goes back for one daemon. Within a boot it advances with CLOCK_BOOTTIME.
	Time int64
	// Wall is the wall clock in Unix nanoseconds, for display only.
	Wall int64
	// Missed counts the ticks that passed while nobody ran the daemon.
	Missed uint64
	// Failed is why a deferred task has no result.
	Failed  string
	Payload []byte
}

// ID identifies an input within its source: an unsigned number, a text, or nothing.
type ID struct {
	text   string
	number uint64
	form   idForm
}

type idForm uint8

const (
	noID idForm = iota
	numberID
	textID
)

// NumberID is the identity of a numbered input.
func NumberID(n uint64) ID { return ID{number: n, form: numberID} }

// TextID is the identity of a named input.
func TextID(s string) ID { return ID{text: s, form: textID} }

// IsZero reports whether the input has no identity.
func (id ID) IsZero() bool { return id.form == noID }

// Number returns the number of a numbered input.
func (id ID) Number() (uint64, bool) { return id.number, id.form == numberID }

// Text returns the name of a named input.
func (id ID) Text() (string, bool) { return id.text, id.form == textID }
