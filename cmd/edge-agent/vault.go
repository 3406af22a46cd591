package main

import (
	"errors"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/persist"
)

// vault is the store as the agent sees it.
type vault struct{ *persist.Store }

func (v vault) Outbox() agent.OutboxState {
	s := v.Stats()
	return agent.OutboxState{Rows: uint64(s.Rows), Bytes: uint64(s.Outbox), AgeMS: uint64(s.OldestRow.Milliseconds())}
}

func (v vault) Gaps() ([]agent.Gap, error) {
	kept, err := v.Store.Gaps()
	gaps := make([]agent.Gap, len(kept))
	for i, g := range kept {
		gaps[i] = agent.Gap(g)
	}
	return gaps, err
}

func (v vault) GapDone(g agent.Gap) error { return v.Store.GapDone(persist.Gap(g)) }

func (v vault) Poison() ([]agent.Poison, error) {
	kept, err := v.Store.Poison()
	list := make([]agent.Poison, len(kept))
	for i, p := range kept {
		list[i] = agent.Poison{
			Position: p.Position, Daemon: p.Daemon, Source: p.Event.Source, Topic: p.Event.Topic, Time: p.Written,
			Payload: p.Event.Payload,
		}
	}
	return list, err
}

// outbox is the store as the publisher sees it.
type outbox struct{ store *persist.Store }

func (o outbox) Next(after mqtt.Cursor, limit int) ([]mqtt.Row, error) {
	kept, err := o.store.Next(persist.Cursor(after), limit)
	if errors.Is(err, persist.ErrClosed) {
		return nil, nil // the store failed and is read again soon: its rows are sent on the connection that follows
	}
	rows := make([]mqtt.Row, len(kept))
	for i, r := range kept {
		rows[i] = mqtt.Row{
			At: mqtt.Cursor(r.Cursor), Daemon: r.Daemon, Epoch: r.Epoch,
			Incarnation: r.Incarnation, Link: r.Link, Payload: r.Payload, Time: r.Written.UnixNano(), Send: r.Send,
		}
	}
	return rows, err
}

func (o outbox) Done(rows []mqtt.Cursor) {
	kept := make([]persist.Cursor, len(rows))
	for i, r := range rows {
		kept[i] = persist.Cursor(r)
	}
	o.store.Done(kept...)
}

// journal wakes the publisher when a group with outputs is on disk.
type journal struct {
	vault
	wake func()
}

func (j *journal) Commit(g *mesh.Group) {
	sends := false
	for i := range g.Steps {
		sends = sends || len(g.Steps[i].Outs) > 0
	}
	if !sends {
		j.vault.Commit(g)
		return
	}
	waking := *g
	waking.Done = func(err error) {
		g.Done(err)
		if err == nil {
			j.wake()
		}
	}
	j.vault.Commit(&waking)
}
