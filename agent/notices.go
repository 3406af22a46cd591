package agent

import (
	"sync"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/mesh"
)

// notices gathers what happens on other goroutines until the keeper reads it. Whoever adds one never blocks; what piles
// up is one entry per daemon of each sort.
type notices struct {
	mu   sync.Mutex
	wake chan struct{} // one place
	gathered
}

type gathered struct {
	crashes map[mesh.DaemonID]dispatch.Crash
	gaps    map[gapKey]uint64
	snaps   map[mesh.DaemonID]error
	samples map[mesh.DaemonID]dispatch.Sample
	stuck   []mesh.DaemonID
	failed  error
	alarm   string
}

type gapKey struct {
	daemon mesh.DaemonID
	reason string
}

func newNotices() *notices {
	n := &notices{wake: make(chan struct{}, 1)}
	n.gathered = empty()
	return n
}

func empty() gathered {
	return gathered{
		crashes: map[mesh.DaemonID]dispatch.Crash{}, gaps: map[gapKey]uint64{}, snaps: map[mesh.DaemonID]error{},
		samples: map[mesh.DaemonID]dispatch.Sample{},
	}
}

// add changes what is gathered and wakes the keeper.
func (n *notices) add(change func(*gathered)) {
	n.mu.Lock()
	change(&n.gathered)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take hands over what was gathered.
func (n *notices) take() gathered {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.gathered
	n.gathered = empty()
	return all
}

// hooks are what the loop tells.
func (n *notices) hooks(publish func(*dispatch.Publication)) dispatch.Hooks {
	return dispatch.Hooks{
		Publish: publish,
		Crash:   func(c dispatch.Crash) { n.add(func(g *gathered) { g.crashes[c.Daemon] = c }) },
		Stuck:   func(id mesh.DaemonID) { n.add(func(g *gathered) { g.stuck = append(g.stuck, id) }) },
		Failed:  func(err error) { n.add(func(g *gathered) { g.failed = err }) },
		Gap: func(gap dispatch.Gap) {
			n.add(func(g *gathered) { g.gaps[gapKey{gap.Daemon, gap.Reason}] += gap.Count })
		},
		Snapped: func(id mesh.DaemonID, _ mesh.Position, err error) {
			n.add(func(g *gathered) { g.snaps[id] = err })
		},
	}
}
