package agent

import (
	"log/slog"
	"testing"

	counting "github.com/edge-agent/edge-agent/daemons/counter"
	"github.com/edge-agent/edge-agent/mesh"
)

// holedStore lost the last steps of its only daemon, and still has its head.
type holedStore struct {
	Store
	steps []mesh.Step
	head  mesh.Head
}

func (s holedStore) Load(mesh.DaemonID) (mesh.Snapshot, bool, error) {
	return mesh.Snapshot{}, false, nil
}
func (s holedStore) Head(mesh.DaemonID) (mesh.Head, bool, error) { return s.head, true, nil }
func (s holedStore) Givens(mesh.DaemonID) ([]mesh.Given, error)  { return nil, nil }

func (s holedStore) Replay(_ mesh.DaemonID, _ mesh.Position, give func(mesh.Step) error) error {
	for _, step := range s.steps {
		if err := give(step); err != nil {
			return err
		}
	}
	return nil
}

func TestChainGoesOnFromItsHeadOnDiskWhenStepsAreLost(t *testing.T) {
	chain := mesh.NewChain(mesh.OriginOf("test", "c"), 1, 0)
	chain.Append([]byte(`{"count":1}`), 0)
	first := chain.Head()
	chain.Append([]byte(`{"count":2}`), 0)
	for name, c := range map[string]struct {
		steps []mesh.Step
		epoch uint64
	}{
		"some are left":              {[]mesh.Step{{Position: 1, Daemon: "c", Epoch: 1, Emitted: 1, Head: first}}, 1},
		"none is left":               {nil, 1},
		"and the epoch is a new one": {nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Agent{o: Options{
				Fleet: "test", Store: holedStore{steps: c.steps, head: chain.Head()}, Log: slog.New(slog.DiscardHandler),
			}}
			r, err := a.restore(blueprint{id: "c", kind: counting.Kind(), epoch: c.epoch})
			if err != nil {
				t.Fatal(err)
			}
			want := chain.Head()
			want.Epoch = c.epoch
			if got := r.ledger.Head(); got != want {
				t.Errorf("the chain stands at %+v, want %+v", got, want)
			}
		})
	}
}
