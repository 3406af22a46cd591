package persist

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
)

// model is the store as maps: what must be read back after any sequence of writes and restarts.
type model struct {
	t         *rapid.T
	outer     *testing.T
	dir       string
	s         *Store
	stop      func()
	w         *writer
	daemons   map[mesh.DaemonID]*modelDaemon
	outs      []mesh.Out // of the group in the making
	rows      map[Cursor]string
	poison    map[mesh.Position]string
	documents map[string]string
}

type modelDaemon struct {
	steps     []modelStep
	snapshots []mesh.Snapshot
	givens    map[mesh.Position]string
	head      mesh.Head
}

type modelStep struct {
	position mesh.Position
	input    string
}

var modelIDs = []mesh.DaemonID{"a", "b", "c"}

func (m *model) daemon(id mesh.DaemonID) *modelDaemon {
	if m.daemons[id] == nil {
		m.daemons[id] = &modelDaemon{givens: make(map[mesh.Position]string)}
	}
	return m.daemons[id]
}

func (m *model) open() {
	s, stop := start(m.outer, m.dir, Options{
		Limits: Limits{Journal: 24 << 10, SnapshotValue: 400},
	})
	m.s, m.stop = s, stop
}

func (m *model) id() mesh.DaemonID { return rapid.SampledFrom(modelIDs).Draw(m.t, "daemon") }

func (m *model) payload(what string) string {
	n := rapid.IntRange(0, 600).Draw(m.t, what)
	return fmt.Sprintf("%s%0*d", what, n, m.w.last)
}

// Group commits up to six things at once, and under pressure two snapshots of everybody.
func (m *model) Group(t *rapid.T) {
	m.t = t
	g := mesh.Group{Window: time.Duration(rapid.IntRange(0, 1).Draw(t, "window")) * time.Millisecond}
	m.outs = nil
	for range rapid.IntRange(1, 6).Draw(t, "steps") {
		m.addStep(&g)
	}
	if rapid.IntRange(0, 3).Draw(t, "given") == 0 {
		m.addGiven(&g)
	}
	commit(m.outer, m.s, g)
	if stats := m.s.Stats(); stats.Journal < stats.JournalLimit/8*7 {
		return
	}
	for range keptSnapshots {
		g := mesh.Group{}
		for _, id := range modelIDs {
			m.addSnapshot(&g, id)
		}
		commit(m.outer, m.s, g)
	}
	for range 20 { // time for pruning to catch up
		commit(m.outer, m.s, mesh.Group{})
	}
}

func (m *model) addStep(g *mesh.Group) {
	id := m.id()
	d := m.daemon(id)
	var outputs []string
	for range rapid.IntRange(0, 2).Draw(m.t, "outputs") {
		outputs = append(outputs, m.payload("out"))
	}
	input := m.payload("in")
	step := m.w.step(id, input, outputs...)
	switch waiting := slices.Sorted(maps.Keys(d.givens)); {
	case len(m.outs) > 0 && rapid.Bool().Draw(m.t, "local"):
		out := rapid.SampledFrom(m.outs).Draw(m.t, "out")
		step.At, step.Event.Payload, input = out.Position, nil, string(out.Payload)
	case len(waiting) > 0 && rapid.Bool().Draw(m.t, "waited"):
		step.Given, step.Event.Payload, input = waiting[0], nil, d.givens[waiting[0]]
		delete(d.givens, waiting[0])
	case rapid.IntRange(0, 9).Draw(m.t, "poison") == 0:
		step.Poison = true
		m.poison[step.Position] = input
	}
	g.Steps = append(g.Steps, step)
	d.steps = append(d.steps, modelStep{step.Position, input})
	d.head = step.Head
	for _, out := range step.Outs {
		m.rows[Cursor{Position: out.Position}] = string(out.Payload)
		m.outs = append(m.outs, out)
	}
	if rapid.IntRange(0, 5).Draw(m.t, "snapshot") == 0 {
		m.addSnapshot(g, id)
	}
}

func (m *model) addSnapshot(g *mesh.Group, id mesh.DaemonID) {
	d := m.daemon(id)
	snap := m.w.snapshot(id, m.payload("state"))
	g.Snapshots = append(g.Snapshots, snap)
	d.head = snap.Head
	d.snapshots = append(d.snapshots, snap)
	if len(d.snapshots) > keptSnapshots {
		d.snapshots = d.snapshots[1:]
	}
}

// addGiven journals an input that waits, from outside or from another daemon's output.
func (m *model) addGiven(g *mesh.Group) {
	id := m.id()
	d := m.daemon(id)
	m.w.last++
	given := mesh.Given{Position: m.w.last, Daemon: id, Event: mesh.Event{Payload: []byte(m.payload("given"))}}
	if len(m.outs) > 0 && rapid.Bool().Draw(m.t, "of a daemon") {
		out := rapid.SampledFrom(m.outs).Draw(m.t, "out")
		d.givens[given.Position] = string(out.Payload)
		given.At, given.Event.Payload = out.Position, nil
	} else {
		d.givens[given.Position] = string(given.Event.Payload)
	}
	g.Givens = append(g.Givens, given)
}

// Retry writes a waiting input again with another attempt.
func (m *model) Retry(t *rapid.T) {
	id := rapid.SampledFrom(modelIDs).Draw(t, "daemon")
	givens, err := m.s.Givens(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range givens {
		g.Attempt++
		if g.At != 0 {
			g.Event.Payload = nil
		}
		commit(m.outer, m.s, mesh.Group{Givens: []mesh.Given{g}})
	}
}

// Sent takes rows out of the outbox, mostly the oldest.
func (m *model) Sent(t *rapid.T) {
	rows := slices.SortedFunc(maps.Keys(m.rows), Cursor.Compare)
	rows = rows[:rapid.IntRange(0, len(rows)).Draw(t, "rows")]
	if len(rows) > 1 && rapid.Bool().Draw(t, "not the oldest") {
		rows = rows[1:]
	}
	m.s.Done(rows...)
	commit(m.outer, m.s, mesh.Group{})
	for _, row := range rows {
		delete(m.rows, row)
	}
}

// Document writes or deletes a document.
func (m *model) Document(t *rapid.T) {
	key := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "key")
	value := rapid.SampledFrom([]string{"", "some", "other"}).Draw(t, "value")
	var err error
	if rapid.Bool().Draw(t, "delete") {
		err = m.s.Delete("docs", key)
		delete(m.documents, key)
	} else {
		err = m.s.Put("docs", key, []byte(value))
		m.documents[key] = value
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Forget drops a daemon.
func (m *model) Forget(t *rapid.T) {
	id := rapid.SampledFrom(modelIDs).Draw(t, "daemon")
	if err := m.s.Forget(id); err != nil {
		t.Fatal(err)
	}
	delete(m.daemons, id)
	m.w.heads[id] = 0
	delete(m.w.chains, id)
}

// Cured takes everything off the poison list.
func (m *model) Cured(t *rapid.T) {
	for p := range m.poison {
		if err := m.s.DeletePoison(p); err != nil {
			t.Fatal(err)
		}
	}
	clear(m.poison)
}

// Restart stops and starts the store, in order or as if it had been cut off; its books must be rebuilt as they were.
func (m *model) Restart(t *rapid.T) {
	m.stop()
	before := m.s.books
	if rapid.Bool().Draw(t, "unclean") {
		if err := os.Remove(m.s.cleanPath()); err != nil {
			t.Fatal(err)
		}
	}
	m.open()
	if diff := cmp.Diff(summary(before), summary(m.s.books)); diff != "" {
		t.Fatalf("books before and after a restart differ:\n%s", diff)
	}
}

// summary is what two books of the same file must share.
func summary(b *books) map[string]any {
	sums := map[string]any{
		"journal": b.journal, "kept": b.kept, "outbox": b.outbox, "snapshots": b.snapshots,
		"documents": b.documents, "poison": b.poison,
		"counts": fmt.Sprint(b.counts), "last": b.last, "front": b.front, "open": len(b.open),
	}
	for id, a := range b.daemons {
		if !a.forgotten || a.aside > 0 {
			sums[string(id)] = fmt.Sprint(a.head, a.last, a.floor, a.given, a.snapshots, a.aside)
		}
	}
	for p, names := range b.named {
		for _, n := range names {
			if b.needed(n.by, n.at) {
				sums[fmt.Sprint("named ", p, " by ", n.at)] = true
			}
		}
	}
	return sums
}

// Check reads everything back.
func (m *model) Check(t *rapid.T) {
	for _, id := range modelIDs {
		m.checkDaemon(t, id)
	}
	rows, err := m.s.Next(Cursor{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[Cursor]string)
	for _, row := range rows {
		got[row.Cursor] = string(row.Payload)
	}
	waiting := 0
	for _, id := range modelIDs {
		waiting += m.s.Waiting(id)
	}
	if waiting != len(m.rows) {
		t.Fatalf("%d rows wait, want %d", waiting, len(m.rows))
	}
	if diff := cmp.Diff(m.rows, got); diff != "" {
		t.Fatalf("outbox:\n%s", diff)
	}
	documents := make(map[string]string)
	err = m.s.Each("docs", func(key string, value []byte) error { documents[key] = string(value); return nil })
	if diff := cmp.Diff(m.documents, documents); diff != "" || err != nil {
		t.Fatalf("documents, %v:\n%s", err, diff)
	}
	list, err := m.s.Poison()
	poison := make(map[mesh.Position]string)
	for _, p := range list {
		poison[p.Position] = string(p.Event.Payload)
	}
	if diff := cmp.Diff(m.poison, poison); diff != "" || err != nil {
		t.Fatalf("poison, %v:\n%s", err, diff)
	}
	if alarms := m.s.Alarms(); len(alarms) > 0 {
		t.Fatalf("alarms %v", alarms)
	}
}

func (m *model) checkDaemon(t *rapid.T, id mesh.DaemonID) {
	d := m.daemons[id]
	if d == nil {
		d = &modelDaemon{}
	}
	head, ok, err := m.s.Head(id)
	if err != nil || head != d.head || !ok && len(d.steps) > 0 {
		t.Fatalf("%s: head %+v, %v, %v: want %+v", id, head, ok, err, d.head)
	}
	snap, ok, err := m.s.Load(id)
	if err != nil || ok != (len(d.snapshots) > 0) {
		t.Fatalf("%s: snapshot %v, %v", id, ok, err)
	}
	if ok && !bytes.Equal(snap.State, d.snapshots[len(d.snapshots)-1].State) {
		t.Fatalf("%s: snapshot holds %q", id, snap.State)
	}
	afters := []mesh.Position{0}
	if len(d.snapshots) == keptSnapshots {
		afters = nil
	}
	for _, s := range d.snapshots {
		afters = append(afters, s.Position)
	}
	for _, after := range afters {
		var want []modelStep
		for _, step := range d.steps {
			if step.position > after {
				want = append(want, step)
			}
		}
		var got []modelStep
		err := m.s.Replay(id, after, func(s mesh.Step) error {
			got = append(got, modelStep{s.Position, string(s.Event.Payload)})
			return nil
		})
		if !slices.Equal(got, want) || err != nil {
			t.Fatalf("%s: replay after %d: %v\ngot  %v\nwant %v", id, after, err, got, want)
		}
	}
	givens, err := m.s.Givens(id)
	got := make(map[mesh.Position]string)
	for _, g := range givens {
		got[g.Position] = string(g.Event.Payload)
	}
	if len(got)+len(d.givens) > 0 && !maps.Equal(got, d.givens) || err != nil {
		t.Fatalf("%s: givens %v, %v: want %v", id, got, err, d.givens)
	}
}

// TestStoreIsTheSameAsMaps does random things to a store and to maps.
func TestStoreIsTheSameAsMaps(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		m := &model{
			t: r, outer: t, dir: dir, w: newWriter(), daemons: make(map[mesh.DaemonID]*modelDaemon),
			rows: make(map[Cursor]string), poison: make(map[mesh.Position]string), documents: make(map[string]string),
		}
		m.open()
		defer func() { m.stop() }()
		r.Repeat(map[string]func(*rapid.T){
			"": m.Check, "group": m.Group, "group again": m.Group, "retry": m.Retry, "sent": m.Sent,
			"document": m.Document, "forget": m.Forget, "cured": m.Cured, "restart": m.Restart,
		})
	})
}
