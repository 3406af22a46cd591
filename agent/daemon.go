package agent

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// ordersBucket keeps one record for each daemon that this node was ever told of, until it is forgotten.
const ordersBucket = "orders"

// daemon is what the keeper knows of one daemon. The keeper's goroutine alone touches it.
type daemon struct {
	id       mesh.DaemonID
	declared bool // by the configuration file, not over the wire
	held     order.Held
	want     order.Assignment // the last one taken up
	spec     order.Spec       // of want, with every default in its place
	kind     mesh.Kind
	name     string

	phase   order.Phase
	reason  string // why the phase is not what was wanted
	unmet   []capability.Unmet
	refusal refusal // of the last assignment that was not taken up

	busy        bool            // a job of this daemon is under way
	fallen      *dispatch.Crash // came while it was
	paused      bool            // inputs wait at the connection until it is back
	hosted      bool            // the loop has it
	crashed     bool            // the loop has it, and waits for a new instance
	running     string
	retryAt     time.Duration // CLOCK_BOOTTIME; 0 at once
	restarts    restarts
	vitals      vitals
	counts      counts
	inputs      []order.Promise
	stats       figures
	reports     bool // the instance says how it fares
	quarantined bool
	unsteady    bool              // replay has shown it nondeterministic
	tried       bool              // a start since the agent began has ended, one way or the other
	leaving     time.Duration     // when a drain must end, CLOCK_BOOTTIME; 0 when there is none
	drained     bool              // stopped by a drain, until it is ordered or restarted
	pressure    float32           // the level of backpressure last told
	next        *order.Assignment // waits until the job under way has ended
}

// refusal is why an assignment was not taken up.
type refusal struct {
	reason     order.Refusal
	seen       uint64
	text       string
	mistakes   order.Mistakes
	unmet      []capability.Unmet
	term, gen  uint64
	assignment *order.Assignment // kept when a change of the machine can make it right
}

// counts are what the keeper counted of a daemon since the agent started.
type counts struct {
	crashes, restarts, poisoned, gaps, snapshotErrors uint64
	errors                                            map[string]uint64 // by kind of error
}

// count notes an error under its kind.
func (c *counts) count(kind error) {
	if c.errors == nil {
		c.errors = map[string]uint64{}
	}
	c.errors[kind.Error()]++
}

// record is a daemon as the store keeps it.
type record struct {
	V           int             `json:"v"`
	Order       json.RawMessage `json:"order"`
	Held        order.Held      `json:"held"`
	Declared    bool            `json:"declared,omitempty"`
	Gone        bool            `json:"gone,omitempty"`
	Quarantined bool            `json:"quarantined,omitempty"`
	Reason      string          `json:"reason,omitempty"`
}

const recordVersion = 1

func (d *daemon) record() ([]byte, error) {
	text, err := order.Encode(&d.want)
	if err != nil {
		return nil, err
	}
	return json.Marshal(record{
		V: recordVersion, Order: text, Held: d.held, Declared: d.declared, Gone: d.phase == order.Forgotten,
		Quarantined: d.quarantined, Reason: d.reason,
	})
}

// readRecord builds the daemon of a kept record; it is not started yet.
func readRecord(id mesh.DaemonID, data []byte) (*daemon, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading the kept order of %s: %w", id, err)
	}
	if r.V != recordVersion {
		return nil, fmt.Errorf("reading the kept order of %s: record version %d, want %d", id, r.V, recordVersion)
	}
	d := &daemon{id: id, held: r.Held, declared: r.Declared, quarantined: r.Quarantined, reason: r.Reason}
	if err := order.Parse(r.Order, &d.want); err != nil {
		return nil, fmt.Errorf("reading the kept order of %s: %w", id, err)
	}
	switch {
	case r.Gone:
		d.phase = order.Forgotten
	case r.Quarantined:
		d.phase = order.Quarantined
	case d.want.State == order.Run:
		d.phase = order.Starting
	default:
		d.phase = order.Stopped
	}
	return d, nil
}

// shouldRun reports whether the daemon is to be in the loop.
func (d *daemon) shouldRun() bool { return d.want.State == order.Run && !d.quarantined && !d.drained }

// target names what should be running: spec and epoch.
func (d *daemon) target() string { return fmt.Sprintf("%s/%d", d.held.Body, d.held.Epoch) }
