package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

type statePoisonCommand struct {
	stateFlags
	Drop mesh.Position `placeholder:"POSITION" help:"Take this event off the list."`
}

func (c statePoisonCommand) Run(ctx context.Context, con *console) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if c.Drop != 0 {
		return c.drop(ctx, con, dir)
	}
	var list []agent.Poison
	err = readState(dir, func(s *persist.Store) (err error) {
		list, err = vault{s}.Poison()
		return err
	})
	if errors.Is(err, errAgentRuns) {
		err = askAgent(ctx, dir, http.MethodGet, "/poison", &list)
	}
	if err != nil {
		return err
	}
	t := newTable("position", "daemon", "time", "topic", "source", "payload")
	for _, p := range list {
		t.Row(uint64(p.Position), p.Daemon, p.Time.Format(time.DateTime), p.Topic, p.Source, readable(p.Payload))
	}
	if list == nil {
		list = []agent.Poison{}
	}
	return con.Print(list, t)
}

func (c statePoisonCommand) drop(ctx context.Context, con *console, dir string) error {
	store, err := openState(dir)
	if err == nil {
		if err = store.Close(); err == nil {
			err = dropStopped(dir, c.Drop)
		}
	}
	if errors.Is(err, errAgentRuns) {
		err = askAgent(ctx, dir, http.MethodDelete, fmt.Sprintf("/poison/%d", c.Drop), nil)
	}
	if err != nil {
		return err
	}
	return con.PrintText(map[string]mesh.Position{"dropped": c.Drop}, fmt.Sprintf("dropped %d", c.Drop))
}

// dropStopped takes an event off the list of a store that no agent runs on.
func dropStopped(dir string, p mesh.Position) error {
	store, err := persist.Open(dir, persist.Options{Check: checkStateArgs()})
	if err != nil {
		return stateFailure(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	err = store.DeletePoison(p)
	stop()
	return errors.Join(err, <-ended, store.Close())
}
