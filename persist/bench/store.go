package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

const (
	daemons       = 20
	snapshotEvery = 1000 // events of a daemon
	stateSize     = 1 << 10
	windowRuns    = 64 // unbroken ranges of ids that a snapshot remembers
)

// work makes the steps of some daemons, numbered and linked like those of a loop.
type work struct {
	payload []byte
	last    mesh.Position
	chains  [daemons]*mesh.Chain
	ids     [daemons]mesh.DaemonID
	events  [daemons]int
	sends   []mesh.Send
	state   []byte
	window  mesh.Window
}

func newWork(payload int) *work {
	w := &work{
		payload: make([]byte, payload), sends: []mesh.Send{{Topic: "edge/v1/default/o/daemon/out", QoS: 1}},
		state: make([]byte, stateSize), window: mesh.Window{Source: "bench"},
	}
	for i := range w.ids {
		w.ids[i] = mesh.DaemonID(fmt.Sprintf("daemon-%02d", i))
		w.chains[i] = mesh.NewChain(mesh.OriginOf("bench", w.ids[i]), 1, 0)
	}
	for i := range uint64(windowRuns) {
		w.window.Runs = append(w.window.Runs, mesh.Run{First: 100 * i, Last: 100*i + 90})
	}
	return w
}

// group makes the group of one event, with an output for the broker and at times a snapshot with the dedup window.
func (w *work) group(daemon int) *mesh.Group {
	id, chain := w.ids[daemon], w.chains[daemon]
	step := mesh.Step{
		Position: w.last + 1, Daemon: id, Epoch: 1, Emitted: 1,
		Event: mesh.Event{
			Source: "bench", ID: mesh.NumberID(uint64(w.last)), Topic: "bench/in", Time: int64(w.last),
			Payload: w.payload,
		},
		Outs: []mesh.Out{{
			Position: w.last + 2, Daemon: id, Epoch: 1, Link: chain.Append(w.payload, 0), Payload: w.payload,
			Sends: w.sends,
		}},
	}
	step.Head = chain.Head()
	g := &mesh.Group{Steps: []mesh.Step{step}}
	w.last += 2
	w.events[daemon]++
	if w.events[daemon]%snapshotEvery == 0 {
		g.Snapshots = []mesh.Snapshot{{
			Daemon: id, Kind: "bench", Position: step.Position, Head: step.Head, Windows: []mesh.Window{w.window},
			Stateful: true, State: w.state,
		}}
	}
	return g
}

// store is a store that keeps everything a node needs: journal, heads, outbox, snapshots; and takes out what is done.
type store struct {
	*persist.Store
	mu    sync.Mutex // numbers and hands in, in one order
	work  *work
	sent  []persist.Cursor
	stop  context.CancelFunc
	ended chan error
}

func openStore(dir string, payload int) (side, error) {
	opened, err := persist.Open(filepath.Join(dir, "store"), persist.Options{})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &store{Store: opened, work: newWork(payload), stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- opened.Run(ctx) }()
	return s, nil
}

func (s *store) write(waiter int, done func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.work.group(waiter % daemons)
	out := g.Steps[0].Outs[0].Position
	g.Done = func(err error) {
		s.sent = append(s.sent, persist.Cursor{Position: out})
		if len(s.sent) == cap(s.sent) || len(s.sent) >= 64 {
			s.Store.Done(s.sent...)
			s.sent = slices.Delete(s.sent, 0, len(s.sent))
		}
		done(err)
	}
	s.Commit(g)
}

func (s *store) close() error {
	s.stop()
	return errors.Join(<-s.ended, s.Store.Close())
}
