package agent

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// keeper decides everything about this node's daemons, on one goroutine. What waits for a daemon's code, the loop or
// the disk is a job on a goroutine of its own, at most one for each daemon.
type keeper struct {
	*Agent
	clock   dispatch.Clock
	jitter  *rand.Rand
	daemons map[mesh.DaemonID]*daemon
	caps    Machine
	revised uint64 // revision of the caps document
	seen    uint64 // the highest term seen for any daemon

	jobs    sync.WaitGroup
	results chan func()
	changed map[mesh.DaemonID]bool // reports to be written
	beat    time.Duration          // when the next heartbeat is due
	commands
	reopening          bool
	holding            bool          // the broker is to wait until every daemon is there again
	began              time.Duration // CLOCK_BOOTTIME
	last               reading
	alarm              string // the newest
	polling, measuring bool
	leaving            bool
}

func newKeeper(a *Agent) *keeper {
	return &keeper{
		Agent: a, clock: a.o.Clocks(), jitter: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		daemons: map[mesh.DaemonID]*daemon{}, caps: a.o.Machine, results: make(chan func(), 64),
		changed: map[mesh.DaemonID]bool{},
	}
}

func (k *keeper) run(ctx context.Context) error {
	defer k.join()
	k.began = k.now()
	if err := k.recall(); err != nil {
		return err
	}
	k.declare()
	k.listen()
	k.announce()
	tick := time.NewTicker(k.o.Tick)
	defer tick.Stop()
	for {
		k.settle(ctx)
		select {
		case <-ctx.Done():
			return k.leave()
		case <-k.mail.wake:
			for _, d := range k.mail.take() {
				k.read(ctx, d)
			}
		case <-k.notices.wake:
			k.notice(ctx, k.notices.take())
		case result := <-k.results:
			result()
		case f := <-k.asks:
			f(k)
		case <-tick.C:
			k.tick(ctx)
		}
	}
}

// join waits for the jobs; what they come to is of no interest any more.
func (k *keeper) join() {
	done := make(chan struct{})
	go func() {
		k.jobs.Wait()
		close(done)
	}()
	for {
		select {
		case <-k.results:
		case <-done:
			return
		}
	}
}

func (k *keeper) now() time.Duration { return time.Duration(k.clock.Boot()) }

// recall reads what the store knows. A record that cannot be read is left alone and said.
func (k *keeper) recall() error {
	err := k.o.Store.Each(ordersBucket, func(key string, value []byte) error {
		id := mesh.DaemonID(key)
		d, err := readRecord(id, value)
		if err != nil {
			k.o.Log.Error("a kept order cannot be read and is left alone", "daemon", id, "error", err)
			return nil
		}
		if !d.declared || d.phase == order.Forgotten {
			k.daemons[id] = d
		} else if _, still := k.o.Declared[id]; still {
			k.daemons[id] = d
		} else {
			d.want.State = order.Stop
			d.phase, d.reason = order.Stopped, "no longer declared in the configuration file"
			k.daemons[id] = d
		}
		k.seen = max(k.seen, d.held.Seen)
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range k.daemons {
		kind, ok := k.kinds[d.want.Spec.Kind]
		if d.want.State != order.Run || d.quarantined {
			continue
		}
		if !ok {
			d.phase, d.reason = order.Failed, "this agent has no kind "+d.want.Spec.Kind
			d.want.State = order.Stop
			continue
		}
		d.kind, d.spec = kind, d.want.Spec.Filled(d.id, kind.Stateful)
	}
	return nil
}

// settle starts what should run, stops what should not, and writes the reports that changed.
func (k *keeper) settle(ctx context.Context) {
	trying := false
	for _, d := range k.daemons {
		if d.next != nil && !d.busy {
			a := *d.next
			d.next = nil
			k.weigh(ctx, d, a)
		}
		k.reconcile(ctx, d)
		trying = trying || d.shouldRun() && !d.tried && d.phase != order.Failed
	}
	for id := range k.changed {
		k.report(k.daemons[id])
	}
	clear(k.changed)
	k.release()
	if !trying {
		select {
		case <-k.ready:
		default:
			k.live(order.Ready)
			close(k.ready)
		}
	}
}

// reconcile begins the one job that brings a daemon nearer to what is wanted of it.
func (k *keeper) reconcile(ctx context.Context, d *daemon) {
	due := d.retryAt <= k.now()
	if !d.busy && !d.shouldRun() {
		k.resume(d)
	}
	switch {
	case d.busy || k.reopening || k.leaving:
	case !d.shouldRun() && d.hosted:
		k.halt(ctx, d)
	case d.shouldRun() && !d.hosted && due && d.phase != order.Failed:
		k.launch(ctx, d)
	case d.shouldRun() && d.hosted && d.crashed && due:
		k.revive(ctx, d)
	case d.shouldRun() && d.hosted && !d.crashed && d.running != d.target():
		k.relaunch(ctx, d)
	case d.want.State == order.Gone && !d.hosted && d.phase != order.Forgotten:
		k.forget(ctx, d)
	}
}

// tick is the supervisor's.
func (k *keeper) tick(ctx context.Context) {
	now := k.now()
	k.poll(ctx)
	k.ration(ctx)
	for _, d := range k.daemons {
		if d.vitals.health.Level == mesh.Unhealthy && d.hosted && !d.crashed && now-d.vitals.since > k.o.Unwell {
			d.vitals.since = now
			k.o.Log.Warn("daemon was unhealthy for long and starts again", "daemon", d.id, "for", k.o.Unwell)
			d.counts.restarts++
			d.running = ""
		}
	}
	k.drained()
	k.publishGaps()
	if now >= k.beat {
		k.beat = now + k.o.Heartbeat*4/5 + time.Duration(k.jitter.Int64N(int64(k.o.Heartbeat*2/5)))
		k.measure(ctx)
	}
}

// work runs a job of one daemon beside the keeper; what it returns is called on the keeper's goroutine.
func (k *keeper) work(d *daemon, job func() (then func())) {
	d.busy = true
	k.jobs.Go(func() {
		then := job()
		k.results <- func() {
			d.busy = false
			then()
			k.changed[d.id] = true
			if c := d.fallen; c != nil {
				d.fallen = nil
				k.crash(d, *c)
			}
		}
	})
}

// notice takes up what happened on other goroutines.
func (k *keeper) notice(ctx context.Context, g gathered) {
	for id, crash := range g.crashes {
		switch d := k.daemons[id]; {
		case d == nil:
		case d.busy:
			d.fallen = &crash // the job that let it run has not been heard of yet
		default:
			k.crash(d, crash)
		}
	}
	for key, count := range g.gaps {
		if d := k.daemons[key.daemon]; d != nil {
			d.counts.gaps += count
			k.o.Log.Warn("inputs were given up", "daemon", key.daemon, "count", count, "reason", key.reason)
			k.changed[d.id] = true
		}
	}
	for id, err := range g.snaps {
		if d := k.daemons[id]; d != nil && err != nil {
			d.counts.snapshotErrors++
			d.counts.count(mesh.ErrSnapshot)
			k.o.Log.Error("snapshot failed", "daemon", id, "error", err)
			k.changed[id] = true
		}
	}
	for id, sample := range g.samples {
		if d := k.daemons[id]; d != nil && d.hosted {
			k.sampled(d, sample)
		}
	}
	for _, id := range g.stuck {
		k.quarantine(id)
	}
	if g.failed != nil {
		k.reopen(ctx, g.failed)
	}
	if g.alarm != "" {
		k.alarm, k.beat = g.alarm, 0
	}
}

// sorted lists the daemons by id.
func (k *keeper) sorted() []*daemon {
	all := make([]*daemon, 0, len(k.daemons))
	for _, d := range k.daemons {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *daemon) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	return all
}
