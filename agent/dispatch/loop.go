package dispatch

import (
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edge-agent/edge-agent/mesh"
)

const (
	// laneTurn is how many inputs of one lane are taken before the next lane has its turn.
	laneTurn = 256
	// localTurn is how many events from daemon to daemon are taken between two turns of the lanes.
	localTurn = 4 * laneTurn
	// inboxTurn is how many waiting events of one daemon are taken before the next has its turn.
	inboxTurn = 64
	// While more than localHigh events from daemon to daemon wait, lanes have turns of shortTurn only; beyond maxLocal,
	// or maxLocalBytes of payloads, such events are dropped.
	localHigh     = 4 * localTurn
	shortTurn     = 16
	maxLocal      = 1 << 16
	maxLocalBytes = 16 << 20
)

// command is something that the loop was asked to do. It returns false when it needs a group and there is none: then it
// is called again when one comes back.
type command func(r *runner) bool

// loop is all that successive runners work on. Only the runner that owns it touches it, but for the mailboxes, the
// lists behind mu and the atomics.
type loop struct {
	o       Options
	clock   Clock
	bell    *bell
	runner  atomic.Pointer[runner]
	pool    *pool
	stop    atomic.Bool
	expired atomic.Bool // nobody waits for groups any more
	ended   chan struct{}
	halted  bool // the loop has noticed stop: no event is begun any more

	lanes    atomic.Pointer[[]*Lane]
	commands mailbox[command]
	done     mailbox[completion]
	results  mailbox[outcome]
	controls mailbox[mesh.DaemonID]
	mu       sync.Mutex
	sticky   map[mesh.DaemonID]*sticky

	daemons   map[mesh.DaemonID]*daemon
	unsettled bool // a port is not direct any more
	leaving   Publication
	all       []*daemon // by age
	router    router
	machine   []target
	order     uint32
	timers    timers
	local     queue
	arena     arena

	waiting []*daemon
	blocked []command // wait for a group

	now, wall, walled int64
	fresh             bool          // nothing was called since the clock was read
	position          mesh.Position // of the next record
	group             *group
	newest            *group // handed over last
	spare             []*group
	inFlight          int
	serial, committed uint64 // of the group handed over last, and of the last one on disk
	failed            uint64 // groups up to this one were lost
	tickets           []*ticket

	stats Stats
}

func newLoop(o Options) *loop {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	if o.Groups <= 0 {
		o.Groups = 8
	}
	if o.Workers <= 0 {
		o.Workers = max(2, runtime.GOMAXPROCS(0))
	}
	if o.Hard <= 0 {
		o.Hard = 10
	}
	if o.Quit <= 0 {
		o.Quit = 50
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &loop{
		o: o, clock: o.Clock, bell: newBell(), ended: make(chan struct{}), position: max(o.First, 1),
		daemons: make(map[mesh.DaemonID]*daemon), sticky: make(map[mesh.DaemonID]*sticky),
	}
	l.commands.bell, l.done.bell, l.results.bell, l.controls.bell = l.bell, l.bell, l.bell, l.bell
	l.lanes.Store(&[]*Lane{})
	for range o.Groups {
		g := &group{}
		g.reset()
		g.Done = func(err error) { l.done.put(completion{g, err}) }
		l.spare = append(l.spare, g)
	}
	l.pool = newPool(o.Workers, &l.results)
	return l
}

// pass is one round of the loop. It reports whether there may be more to do at once.
func (l *loop) pass(r *runner) bool {
	l.tick()
	if l.halted = l.stop.Load(); l.halted {
		l.answer(r)
		l.punctuate(r)
		return false
	}
	r.drain()
	l.answer(r)
	l.fire(r)
	l.drainLocal(r)
	l.punctuate(r)
	for _, lane := range *l.lanes.Load() {
		turn := uint32(laneTurn)
		if l.local.len() > localHigh {
			turn = shortTurn
		}
		for n := min(lane.ready(), turn); n > 0; {
			n -= r.stage(lane, n)
			r.drain()
			l.drainLocal(r)
			if l.group != nil && l.group.full() {
				l.punctuate(r)
			}
		}
	}
	r.check()
	l.tend(r)
	l.punctuate(r)
	return l.work()
}

// tick reads the clock: once for each batch.
func (l *loop) tick() {
	now := max(l.clock.Boot(), l.now)
	if now-l.walled >= int64(calibration) || l.walled == 0 {
		l.walled, l.wall = now, l.clock.Wall()
	} else {
		l.wall += now - l.now
	}
	l.now, l.fresh = now, true
}

func (l *loop) drainLocal(r *runner) {
	for budget := localTurn; budget > 0 && l.local.len() > 0; {
		budget -= r.stageLocal()
		r.drain()
	}
}

// work says that another pass has something to do at once.
func (l *loop) work() bool {
	if l.halted {
		return l.done.some() || l.finished()
	}
	if l.stop.Load() {
		return true
	}
	for _, lane := range *l.lanes.Load() {
		if lane.tail.Load() != lane.head.Load() {
			return true
		}
	}
	if l.local.len() > 0 ||
		l.commands.some() || l.done.some() || l.results.some() || l.controls.some() {
		return true
	}
	return l.timers.due(l.now) || slices.ContainsFunc(l.waiting, l.canTend)
}

// sleep waits for the next thing to do.
func (l *loop) sleep() {
	if at, ok := l.nextAlarm(); ok {
		l.clock.Alarm(at, l.bell.c)
	}
	l.bell.sleep(l.work)
}

func (l *loop) nextAlarm() (int64, bool) {
	at, ok := l.timers.first()
	if g := l.group; g != nil && !g.empty() && (!ok || g.due < at) {
		return g.due, true
	}
	return at, ok
}

// answer does what others asked for.
func (l *loop) answer(r *runner) {
	for c, ok := l.done.pop(); ok; c, ok = l.done.pop() {
		l.complete(c)
	}
	for id, ok := l.controls.pop(); ok; id, ok = l.controls.pop() {
		if d := l.daemons[id]; d != nil {
			l.await(d)
		}
	}
	for o, ok := l.results.pop(); ok; o, ok = l.results.pop() {
		l.result(o)
	}
	for c, ok := l.commands.pop(); ok; c, ok = l.commands.pop() {
		if !c(r) {
			l.blocked = append(l.blocked, c)
		}
	}
}

// await has a daemon looked after in the next pass.
func (l *loop) await(d *daemon) {
	if !d.waiting {
		d.waiting = true
		l.waiting = append(l.waiting, d)
	}
}
