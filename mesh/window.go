package mesh

// Window is what a daemon's deduplication remembers of one source, in the form a snapshot keeps.
type Window struct {
	// Daemon is set when the source is the chain of a daemon, whose ids are its sequences; else Source names it.
	Daemon      DaemonID
	Source      string
	Epoch       uint64
	Incarnation uint32
	// Low is the least number that can still be told: those below it are late.
	Low  uint64
	Runs []Run
	// Texts are the ids that are not numbers, oldest first.
	Texts []SeenText
	// Past and Recent are the highest numbers at two rotations, the later at event time Rotated.
	Past, Recent uint64
	Rotated      int64
}

// Run is an unbroken range of numbers, both ends included.
type Run struct{ First, Last uint64 }

// SeenText is a text id by its 128-bit hash, and the event time at which it was seen.
type SeenText struct {
	Hash [2]uint64
	Time int64
}
