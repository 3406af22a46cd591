package dispatch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// scripted is a daemon made of functions.
type scripted struct {
	name    string
	process func(ev *mesh.Event, out *mesh.Outputs) error
}

func (s *scripted) Name() string                    { return s.name }
func (s *scripted) Requirements() capability.Filter { return capability.Filter{} }
func (s *scripted) Process(ev *mesh.Event, out *mesh.Outputs) error {
	if s.process == nil {
		return nil
	}
	return s.process(ev, out)
}

// echo emits what it gets.
func echo(ev *mesh.Event, out *mesh.Outputs) error {
	out.Emit(ev.Payload)
	return nil
}

// recorder keeps what it gets.
type recorder struct {
	scripted
	mu     sync.Mutex
	events []mesh.Event
	seen   chan struct{}
}

func newRecorder() *recorder {
	r := &recorder{seen: make(chan struct{}, 1)}
	r.process = func(ev *mesh.Event, _ *mesh.Outputs) error {
		kept := *ev
		kept.Payload = slices.Clone(ev.Payload)
		r.mu.Lock()
		r.events = append(r.events, kept)
		r.mu.Unlock()
		select {
		case r.seen <- struct{}{}:
		default:
		}
		return nil
	}
	return r
}

func (r *recorder) all() []mesh.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *recorder) payloads() []string {
	var all []string
	for _, ev := range r.all() {
		all = append(all, string(ev.Payload))
	}
	return all
}

// wait waits for n events.
func (r *recorder) wait(t *testing.T, n int) []mesh.Event {
	t.Helper()
	eventually(t, fmt.Sprint(n, " events"), func() bool { return len(r.all()) >= n })
	return r.all()
}

// eventually polls what has no other way to be waited for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

// memory is a journal that keeps copies of what it is given, and confirms it at once, on demand, or never.
type memory struct {
	mu      sync.Mutex
	held    bool
	err     error
	waiting []func(error)
	steps   []mesh.Step
	givens  []mesh.Given
	snaps   []mesh.Snapshot
	groups  int
}

func (m *memory) Commit(g *mesh.Group) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups++
	for _, s := range g.Steps {
		s.Event.Payload = slices.Clone(s.Event.Payload)
		s.Outs, s.Tasks = slices.Clone(s.Outs), slices.Clone(s.Tasks)
		for i := range s.Outs {
			s.Outs[i].Payload = slices.Clone(s.Outs[i].Payload)
		}
		m.steps = append(m.steps, s)
	}
	for _, given := range g.Givens {
		given.Event.Payload = slices.Clone(given.Event.Payload)
		m.givens = append(m.givens, given)
	}
	m.snaps = append(m.snaps, g.Snapshots...)
	if m.held {
		m.waiting = append(m.waiting, g.Done)
		return
	}
	g.Done(m.err)
}

// hold keeps groups from being confirmed.
func (m *memory) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = true
}

// confirm lets the groups that wait be done, and later ones at once.
func (m *memory) confirm(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held, m.err = false, err
	for _, done := range m.waiting {
		done(err)
	}
	m.waiting = nil
}

func (m *memory) stepsOf(id mesh.DaemonID) []mesh.Step {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.steps), func(s mesh.Step) bool { return s.Daemon != id })
}

func (m *memory) snapshots() []mesh.Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.snaps)
}

func (m *memory) givensOf(id mesh.DaemonID) []mesh.Given {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.givens), func(g mesh.Given) bool { return g.Daemon != id })
}

// handClock goes on when it is told to.
type handClock struct {
	boot, wall atomic.Int64
	mu         sync.Mutex
	at         int64
	wake       chan<- struct{}
}

func newHandClock() *handClock {
	c := &handClock{}
	c.boot.Store(int64(time.Hour))
	c.wall.Store(int64(20 * 365 * 24 * time.Hour))
	return c
}

func (c *handClock) Boot() int64 { return c.boot.Load() }
func (c *handClock) Wall() int64 { return c.wall.Load() }

func (c *handClock) Alarm(at int64, wake chan<- struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.wake = at, wake
	c.ring()
}

func (c *handClock) ring() {
	if c.wake == nil || c.boot.Load() < c.at {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	c.wake = nil
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall.Add(int64(d))
	c.boot.Add(int64(d))
	c.ring()
}

// acks counts acknowledgements.
type acks struct{ n atomic.Int32 }

func (a *acks) Ack() { a.n.Add(1) }

// rig is a running host with all that it needs.
type rig struct {
	*Host
	t       *testing.T
	journal *memory
	clock   *handClock
	ticks   chan time.Time
	crashes chan Crash
	stuck   chan mesh.DaemonID
	failed  chan error
	gaps    chan Gap
	lane    *Lane
	end     func()
	sent    struct {
		sync.Mutex
		all []Publication
	}
}

func newRig(t *testing.T) *rig {
	g := &rig{
		t: t, journal: &memory{}, clock: newHandClock(), ticks: make(chan time.Time), crashes: make(chan Crash, 64),
		stuck: make(chan mesh.DaemonID, 8), failed: make(chan error, 8), gaps: make(chan Gap, 4096),
	}
	g.Host = New(Options{
		Journal: g.journal, Clock: g.clock, Ticks: g.ticks,
		Hooks: Hooks{
			Crash:  func(c Crash) { g.crashes <- c },
			Stuck:  func(id mesh.DaemonID) { g.stuck <- id },
			Failed: func(err error) { g.failed <- err },
			Gap:    func(gap Gap) { g.gaps <- gap },
			Publish: func(p *Publication) {
				kept := *p
				kept.Payload = slices.Clone(p.Payload)
				g.sent.Lock()
				g.sent.all = append(g.sent.all, kept)
				g.sent.Unlock()
			},
		},
	})
	g.lane = g.Lane("test", 64)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	g.end = sync.OnceFunc(func() {
		cancel()
		g.journal.confirm(nil)
		if err := receive(t, ended); err != nil {
			t.Error("run: ", err)
		}
	})
	t.Cleanup(g.end)
	return g
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

func ledgerOf(id mesh.DaemonID) *Ledger {
	return NewLedger(mesh.Snapshot{Daemon: id, Head: mesh.NewChain(mesh.OriginOf("test", id), 1, 0).Head()})
}

func (g *rig) add(s Spec) {
	g.t.Helper()
	if s.Ledger == nil {
		s.Ledger = ledgerOf(s.ID)
	}
	if err := g.Add(g.t.Context(), s); err != nil {
		g.t.Fatal(err)
	}
}

// post posts an input, waiting while the lane is full.
func (g *rig) post(in Input) {
	g.t.Helper()
	eventually(g.t, "room in the lane", func() bool { return g.lane.Post(&in) })
}

func (g *rig) send(topic string, payloads ...string) {
	g.t.Helper()
	for _, p := range payloads {
		g.post(Input{Topic: topic, Payload: []byte(p)})
	}
}

// settle waits until the loop has dealt with all that was posted and nothing is in flight.
func (g *rig) settle() Stats {
	g.t.Helper()
	var s Stats
	eventually(g.t, "the loop to settle", func() bool {
		s = g.stats()
		for _, lane := range s.Lanes {
			if lane.Depth > 0 {
				return false
			}
		}
		for _, d := range s.Daemons {
			if d.Phase == Running && d.Mode == Live && d.Inbox > 0 && d.Tasks < maxTasks {
				return false
			}
		}
		return s.InFlight == 0
	})
	return s
}

func (g *rig) stats() Stats {
	g.t.Helper()
	s, err := g.Stats(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *rig) of(id mesh.DaemonID) DaemonStats {
	g.t.Helper()
	for _, d := range g.stats().Daemons {
		if d.ID == id {
			return d
		}
	}
	g.t.Fatal("no daemon ", id)
	return DaemonStats{}
}

func (g *rig) published() []Publication {
	g.sent.Lock()
	defer g.sent.Unlock()
	return slices.Clone(g.sent.all)
}
