// Package meshtest proves that a kind keeps the contract of a daemon, whatever code stands behind its factory.
//
// Run takes a kind, a configuration and events that make its daemons work, and reports each promise that is broken.
// Its random choices are the same each time.
package meshtest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Case is a kind under test.
type Case struct {
	Kind mesh.Kind
	// Config is a configuration in which the events matter: as JSON, empty for the defaults.
	Config string
	// Events should make the daemon emit and, if it is stateful, change its state. Their times must not go back.
	Events []mesh.Event
}

// ID is the id that daemons under test are given.
const ID mesh.DaemonID = "under-test"

// Run holds the kind to the contract.
func Run(t *testing.T, c Case) {
	t.Helper()
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			if err := promise.check(c); err != nil {
				t.Error(err)
			}
		})
	}
}

// Messages are inputs from one source, a second apart, with numbers as ids.
func Messages(source string, payloads ...string) []mesh.Event {
	events := make([]mesh.Event, len(payloads))
	for i, payload := range payloads {
		events[i] = mesh.Event{
			Link:   mesh.Link{Origin: mesh.TopicOrigin("in/+"), Sequence: uint64(i + 1)},
			Source: source, ID: mesh.NumberID(uint64(i + 1)), Topic: "in/" + source,
			Time: int64(i+1) * int64(time.Second), Wall: int64(i+1) * int64(time.Second), Payload: []byte(payload),
		}
	}
	return events
}

// Samples are readings of this machine, a second apart.
func Samples(samples ...mesh.Sample) []mesh.Event {
	events := make([]mesh.Event, len(samples))
	for i, sample := range samples {
		events[i] = mesh.Event{
			Trigger: mesh.Reading, Topic: sample.Topic(), Source: sample.Topic(), ID: mesh.NumberID(uint64(i + 1)),
			Time: int64(i+1) * int64(time.Second), Payload: sample.Append(nil),
		}
	}
	return events
}

type promise struct {
	name string
	keep func(*proof) error
}

// proof is one check at work.
type proof struct {
	Case
	random *rand.Rand
}

// check tries the promise and takes a panic of the daemon for a broken one.
func (p promise) check(c Case) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return p.keep(&proof{Case: c, random: rand.New(rand.NewPCG(1, 2))})
}

// step is what one event led to.
type step struct {
	outputs []string
	tasks   []string
	failed  string
}

// host runs one daemon as a node does.
type host struct {
	daemon mesh.Daemon
	out    mesh.Outputs
	steps  []step
	// lend gives the daemon bytes that are gone after the call.
	lend  bool
	lent  []byte
	tasks int // results delivered
}

func (p *proof) build(config string) (mesh.Daemon, error) {
	d, err := p.Kind.New([]byte(config), mesh.Env{ID: ID, Log: slog.New(slog.DiscardHandler)})
	if err == nil && d == nil {
		return nil, errors.New("the factory gave neither a daemon nor an error")
	}
	return d, err
}

// start builds a daemon and restores it, unless the state is empty.
func (p *proof) start(state []byte) (*host, error) {
	d, err := p.build(p.Config)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if err := mesh.Restore(d, ID, p.Kind.Name, state); err != nil {
		return nil, err
	}
	return &host{daemon: d}, nil
}

// process gives the daemon an event, then the results of what it deferred.
func (h *host) process(ev mesh.Event) error {
	h.out.Reset()
	if h.lend {
		h.lent = append(h.lent[:0], ev.Payload...)
		ev.Payload = h.lent
	}
	var s step
	if err := h.daemon.Process(&ev, &h.out); err != nil {
		if err.Error() == "" {
			return errors.New("Process gave an error without a text")
		}
		s.failed = err.Error()
	}
	if err := h.out.Err(); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	for i := range h.out.Len() {
		s.outputs = append(s.outputs, string(h.out.Payload(i)))
	}
	for i := range h.out.Tasks() {
		s.tasks = append(s.tasks, string(h.out.Task(i)))
	}
	for i := range h.lent {
		h.lent[i] = 0xa5
	}
	h.steps = append(h.steps, s)
	return h.work(ev, s.tasks)
}

func (h *host) run(events []mesh.Event) error {
	for i, ev := range events {
		if err := h.process(ev); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// state is the daemon's snapshot, nil when it keeps none.
func (h *host) state() ([]byte, error) {
	stateful, ok := h.daemon.(mesh.Stateful)
	if !ok {
		return nil, nil
	}
	state, err := stateful.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return bytes.Clone(state), nil
}

// whole runs every event from the beginning; with lend the daemon's bytes are overwritten after each call.
func (p *proof) whole(lend bool) (*host, []byte, error) {
	h, err := p.start(nil)
	if err != nil {
		return nil, nil, err
	}
	h.lend = lend
	if err := h.run(p.Events); err != nil {
		return nil, nil, err
	}
	state, err := h.state()
	return h, state, err
}

// differ names the first difference between two runs.
func differ(a, b []step, stateA, stateB []byte) error {
	for i := range min(len(a), len(b)) {
		if !slices.Equal(a[i].outputs, b[i].outputs) {
			return fmt.Errorf("step %d emitted %s, then %s", i, quote(a[i].outputs), quote(b[i].outputs))
		}
		if !slices.Equal(a[i].tasks, b[i].tasks) {
			return fmt.Errorf("step %d deferred %s, then %s", i, quote(a[i].tasks), quote(b[i].tasks))
		}
		if a[i].failed != b[i].failed {
			return fmt.Errorf("step %d failed with %q, then %q", i, a[i].failed, b[i].failed)
		}
	}
	if len(a) != len(b) {
		return fmt.Errorf("%d steps, then %d", len(a), len(b))
	}
	if !bytes.Equal(stateA, stateB) {
		return fmt.Errorf("state %x, then %x", clip(stateA), clip(stateB))
	}
	return nil
}

func quote(texts []string) string {
	quoted := ""
	for _, text := range texts {
		quoted += " " + strconv.Quote(string(clip([]byte(text))))
	}
	return strconv.Itoa(len(texts)) + " payloads" + quoted
}

func clip(b []byte) []byte { return b[:min(len(b), 200)] }
