package mesh

import "fmt"

// Limits of one step: what a daemon emits beyond them fails the step.
const (
	MaxOutputs     = 1024
	MaxOutputBytes = 1 << 20
	MaxPayload     = 96 << 10
	MaxTasks       = 16
)

// Outputs collects what one step emits and defers, copying it into an arena that is reused for the next step.
type Outputs struct {
	arena []byte
	ends  []int // ends[i] is where payload i ends; it begins where the one before ended
	tasks []int // ends of deferred tasks, in their own arena
	work  []byte
	err   error
}

// Emit adds a payload to the daemon's chain. It is copied.
func (o *Outputs) Emit(payload []byte) {
	switch {
	case o.err != nil:
	case len(payload) > MaxPayload:
		o.err = fmt.Errorf("output of %d bytes, above %d: %w", len(payload), MaxPayload, ErrTooLarge)
	case len(o.ends) >= MaxOutputs:
		o.err = fmt.Errorf("more than %d outputs of one event: %w", MaxOutputs, ErrTooLarge)
	case len(o.arena)+len(payload) > MaxOutputBytes:
		o.err = fmt.Errorf("more than %d bytes of outputs of one event: %w", MaxOutputBytes, ErrTooLarge)
	default:
		o.arena = append(o.arena, payload...)
		o.ends = append(o.ends, len(o.arena))
	}
}

// Defer hands a task to the daemon's Worker. It is copied.
func (o *Outputs) Defer(task []byte) {
	switch {
	case o.err != nil:
	case len(task) > MaxPayload:
		o.err = fmt.Errorf("task of %d bytes, above %d: %w", len(task), MaxPayload, ErrTooLarge)
	case len(o.tasks) >= MaxTasks:
		o.err = fmt.Errorf("more than %d tasks deferred by one event: %w", MaxTasks, ErrTooLarge)
	default:
		o.work = append(o.work, task...)
		o.tasks = append(o.tasks, len(o.work))
	}
}

// Len is the number of payloads.
func (o *Outputs) Len() int { return len(o.ends) }

// Payload is the payload i, valid until Reset.
func (o *Outputs) Payload(i int) []byte { return piece(o.arena, o.ends, i) }

// Tasks is the number of deferred tasks.
func (o *Outputs) Tasks() int { return len(o.tasks) }

// Task is the deferred task i, valid until Reset.
func (o *Outputs) Task(i int) []byte { return piece(o.work, o.tasks, i) }

// Err is why the step must fail, nil when its outputs are within the limits.
func (o *Outputs) Err() error { return o.err }

// Reset forgets everything and keeps the memory.
func (o *Outputs) Reset() {
	o.arena, o.ends, o.work, o.tasks, o.err = o.arena[:0], o.ends[:0], o.work[:0], o.tasks[:0], nil
}

func piece(arena []byte, ends []int, i int) []byte {
	start := 0
	if i > 0 {
		start = ends[i-1]
	}
	return arena[start:ends[i]:ends[i]]
}
