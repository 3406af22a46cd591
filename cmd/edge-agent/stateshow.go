package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

type stateShowCommand struct {
	stateFlags
	Daemon string `arg:"" help:"Id of the daemon."`
}

// shownState is all that is kept of a daemon, the newest snapshot opened.
type shownState struct {
	keptDaemon
	Link     string        `json:"link"` // of the newest output, hex
	Kind     string        `json:"kind,omitzero"`
	Schema   uint32        `json:"schema,omitzero"`
	Position mesh.Position `json:"position,omitzero"` // of the newest snapshot
	Sources  []string      `json:"sources,omitzero"`  // with a dedup window
	Tasks    int           `json:"tasks,omitzero"`    // deferred, without a result in the snapshot
	State    []byte        `json:"state,omitzero"`    // base64 in JSON
}

func (c stateShowCommand) Run(ctx context.Context, con *console) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	id, err := mesh.ParseDaemonID(c.Daemon)
	if err != nil {
		return fail(exitUsage, err, "edge-agent state ls lists them")
	}
	err = readState(dir, func(s *persist.Store) error { return showState(con, s, id) })
	if !errors.Is(err, errAgentRuns) {
		return err
	}
	var report json.RawMessage
	if err := askAgent(ctx, dir, http.MethodGet, "/daemons/"+string(id), &report); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, report, "", "  "); err != nil {
		return fmt.Errorf("reading the agent's answer: %w", err)
	}
	return con.PrintText(report, text.String())
}

func showState(con *console, s *persist.Store, id mesh.DaemonID) error {
	inv, err := s.Inspect()
	if err != nil {
		return err
	}
	for _, h := range inv.Daemons {
		if h.Daemon != id {
			continue
		}
		v := shownState{keptDaemon: viewHolding(h), Link: fmt.Sprintf("%x", h.Head.Link.Append(nil))}
		snap, ok, err := s.Load(id)
		if err != nil {
			return err
		}
		if ok {
			v.Kind, v.Schema, v.Position, v.State = snap.Kind, snap.Schema, snap.Position, snap.State
			v.Tasks = len(snap.Tasks)
			for _, w := range snap.Windows {
				v.Sources = append(v.Sources, cmp.Or(string(w.Daemon), w.Source))
			}
		}
		return con.Print(v, v.table())
	}
	return fail(exitFailed, &mesh.Error{Daemon: id, Kind: mesh.ErrNotFound}, "edge-agent state ls lists them")
}

func (v shownState) table() *table {
	t := newTable("what", "value")
	t.Row("daemon", v.Daemon)
	t.Row("epoch", fmt.Sprint(v.Epoch))
	t.Row("sequence", fmt.Sprint(v.Sequence))
	t.Row("link", v.Link)
	t.Row("steps to replay", fmt.Sprint(v.Replay))
	t.Row("inputs waiting", fmt.Sprint(v.Waiting))
	t.Row("outputs waiting", fmt.Sprint(v.Outbox))
	t.Row("snapshots", fmt.Sprint(len(v.Snapshots)))
	if len(v.Snapshots) == 0 {
		return t
	}
	t.Row("kind", fmt.Sprintf("%s, schema %d", v.Kind, v.Schema))
	t.Row("taken at", fmt.Sprint(v.Position))
	t.Row("sources", strings.Join(v.Sources, ", "))
	t.Row("tasks", fmt.Sprint(v.Tasks))
	t.Row("state", readable(v.State))
	return t
}

// readable shows bytes as text where they are text, and as hex where not, cut to a line or two.
func readable(b []byte) string {
	const most = 512
	text := string(b)
	if !utf8.Valid(b) || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		text = fmt.Sprintf("%x", b[:min(len(b), most)])
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return fmt.Sprintf("%d bytes: %s", len(b), text)
}
