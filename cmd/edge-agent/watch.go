package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

type fleetWatchCommand struct {
	configFlags
	Heartbeats bool          `help:"Show heartbeats too."`
	For        time.Duration `placeholder:"DURATION" help:"End when what follows was shown for so long."`
	Lines      bool          `help:"Print line after line on a terminal too."`
}

func (c *fleetWatchCommand) Run(ctx context.Context, con *console) error {
	s, err := c.Settings()
	if err != nil {
		return err
	}
	v, err := visit(ctx, s, order.Fleet(s.Fleet).Root()+"/n/#")
	if err != nil {
		return err
	}
	defer v.leave()
	w := &watch{con: con, view: newFleetView(v.fleet), heartbeats: c.Heartbeats}
	if width := columns(con.Out); width > 0 && !con.JSON() && !c.Lines {
		w.screen = &screen{out: con.Out, width: width}
	}
	if err := v.settle(ctx, w.take); err != nil {
		return err
	}
	if w.screen == nil {
		con.Note("That is what was kept; what follows is live.")
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	return w.follow(ctx, v)
}

// watch shows what a fleet says: line by line, or as a screen of what holds now.
type watch struct {
	con        *console
	view       *fleetView
	heartbeats bool
	screen     *screen // nil: line by line
	broken     error   // nobody reads any more
}

// follow goes on until the context ends.
func (w *watch) follow(ctx context.Context, v *visitor) error {
	redraw := time.NewTicker(250 * time.Millisecond)
	defer redraw.Stop()
	for w.broken == nil {
		select {
		case m := <-v.messages:
			if m.Topic != v.echo {
				w.take(m)
			}
		case <-redraw.C:
			if w.screen != nil {
				w.broken = w.screen.draw(w.view)
			}
		case <-ctx.Done():
			return nil
		}
	}
	return w.broken
}

func (w *watch) take(m mqtt.Message) {
	change, ok := w.view.take(m)
	if w.screen != nil {
		w.screen.stale = true
	}
	if !ok || change.About == "hb" && !w.heartbeats {
		return
	}
	subject := string(change.Node)
	if change.Daemon != "" {
		subject += "/" + string(change.Daemon)
	}
	line := fmt.Sprintf("%s  %-24s %-4s %s", time.Now().Format(time.TimeOnly), subject, change.About, change.Text)
	if w.screen != nil {
		w.screen.add(line)
		return
	}
	if err := w.con.PrintLine(change, line); err != nil {
		w.broken = err
	}
}

// screen shows nodes, daemons and the newest lines, over and over in the same place.
type screen struct {
	out   io.Writer
	width int
	lines []string // newest last
	stale bool
}

// maxScreenLines is how many of the newest lines stay in sight.
const maxScreenLines = 10

func (s *screen) add(line string) {
	s.lines = append(s.lines, line)
	s.lines = s.lines[max(0, len(s.lines)-maxScreenLines):]
}

func (s *screen) draw(view *fleetView) error {
	if !s.stale {
		return nil
	}
	s.stale = false
	_, err := io.WriteString(s.out, "\033[H\033[2J"+s.render(view))
	return err
}

func (s *screen) render(view *fleetView) string {
	nodes := view.sorted()
	parts := []string{nodesTable(nodes).Render(s.width)}
	if daemons := daemonsTable(nodes); daemons.Len() > 0 {
		parts = append(parts, daemons.Render(s.width))
	}
	if len(s.lines) > 0 {
		parts = append(parts, strings.Join(s.lines, "\n")+"\n")
	}
	return strings.Join(parts, "\n")
}

func daemonsTable(nodes []*nodeView) *table {
	t := newTable("daemon", "node", "kind", "state", "health", "saturation", "events", "outputs", "sequence")
	for _, n := range nodes {
		for _, id := range slices.Sorted(maps.Keys(n.Reports)) {
			r := n.Reports[id]
			health, sequence := "", any("")
			if r.Health != nil {
				health = strings.TrimSpace(string(r.Health.Level) + " " + r.Health.Reason)
			}
			if r.Head != nil {
				sequence = r.Head.Sequence
			}
			t.Row(id, n.Node, r.Kind, r.State, health, hundredths(r.Saturation), r.Stats["events"], r.Stats["outputs"],
				sequence)
		}
	}
	return t
}
