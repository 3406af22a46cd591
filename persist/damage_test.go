package persist

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// truth is all that a store was ever given, so that whatever is read back can be judged.
type truth struct {
	steps     map[mesh.DaemonID]map[mesh.Position]string
	states    map[mesh.DaemonID][]string
	heads     map[mesh.DaemonID][]mesh.Head
	outs      map[mesh.Position]string
	documents map[string][]string
	poison    map[mesh.Position]string
	givens    map[mesh.Position]string
}

var truthIDs = []mesh.DaemonID{"a", "b", "c", "d"}

// fill makes a store with something of everything in it, and closes it in order.
func fill(t *testing.T, dir string) *truth {
	t.Helper()
	s, stop := start(t, dir, Options{Limits: Limits{SnapshotValue: 20 << 10, Journal: 192 << 10}})
	w := newWriter()
	all := &truth{
		steps: make(map[mesh.DaemonID]map[mesh.Position]string), states: make(map[mesh.DaemonID][]string),
		heads: make(map[mesh.DaemonID][]mesh.Head), outs: make(map[mesh.Position]string),
		documents: make(map[string][]string), poison: make(map[mesh.Position]string),
		givens: make(map[mesh.Position]string),
	}
	random := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string { return fmt.Sprintf("%d-%0*d", random.Uint32(), random.IntN(n), 0) }
	for round := range 120 {
		g := mesh.Group{}
		for i, id := range truthIDs {
			step := w.step(id, text(900), text(300))
			step.Poison = random.IntN(60) == 0
			if all.steps[id] == nil {
				all.steps[id] = make(map[mesh.Position]string)
			}
			all.steps[id][step.Position] = string(step.Event.Payload)
			all.outs[step.Outs[0].Position] = string(step.Outs[0].Payload)
			if step.Poison {
				all.poison[step.Position] = string(step.Event.Payload)
			}
			g.Steps = append(g.Steps, step)
			all.heads[id] = append(all.heads[id], step.Head)
			if round%(20+10*i) == 0 || round > 60 && id != "d" && round%10 == 0 {
				snap := w.snapshot(id, text(30<<10))
				all.states[id] = append(all.states[id], string(snap.State))
				g.Snapshots = append(g.Snapshots, snap)
			}
		}
		if round%15 == 0 {
			w.last++
			given := mesh.Given{Position: w.last, Daemon: "a", Event: mesh.Event{Payload: []byte(text(100))}}
			all.givens[w.last] = string(given.Event.Payload)
			g.Givens = append(g.Givens, given)
		}
		commit(t, s, g)
		key, value := fmt.Sprint("key", random.IntN(30)), text(500)
		if err := s.Put("docs", key, []byte(value)); err != nil {
			t.Fatal(err)
		}
		all.documents[key] = append(all.documents[key], value)
		rows, err := s.Next(Cursor{}, random.IntN(9))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[:len(rows)/2] {
			s.Done(row.Cursor)
		}
	}
	commit(t, s, mesh.Group{})
	stop()
	return all
}

// held is what a store gives back.
type held struct {
	items  map[string]string
	replay map[mesh.DaemonID]int
}

func readHeld(t *testing.T, s *Store) held {
	t.Helper()
	h := held{items: make(map[string]string), replay: make(map[mesh.DaemonID]int)}
	fail := func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, id := range truthIDs {
		if head, ok, err := s.Head(id); ok && err == nil {
			h.items["head "+string(id)] = fmt.Sprint(head)
		}
		snap, ok, err := s.Load(id)
		fail("load", err)
		if ok {
			h.items["snapshot "+string(id)] = string(snap.State)
		}
		fail("replay", s.Replay(id, snap.Position, func(step mesh.Step) error {
			h.items[fmt.Sprintf("step %s %d", id, step.Position)] = string(step.Event.Payload)
			return nil
		}))
		givens, err := s.Givens(id)
		fail("givens", err)
		for _, g := range givens {
			h.items[fmt.Sprintf("given %d", g.Position)] = string(g.Event.Payload)
		}
	}
	rows, err := s.Next(Cursor{}, 1<<20)
	fail("outbox", err)
	for _, row := range rows {
		h.items[fmt.Sprintf("row %d", row.Cursor.Position)] = string(row.Payload)
	}
	fail("documents", s.Each("docs", func(key string, value []byte) error {
		h.items["document "+key] = string(value)
		return nil
	}))
	poison, err := s.Poison()
	fail("poison", err)
	for _, p := range poison {
		h.items[fmt.Sprintf("poison %d", p.Position)] = string(p.Event.Payload)
	}
	return h
}

// known reports whether a value was ever written under its name.
func (all *truth) known(name, value string) bool {
	var kind, id, place string
	if n, _ := fmt.Sscan(name, &kind, &id, &place); n < 2 {
		return false
	}
	var p mesh.Position
	if _, err := fmt.Sscan(id, &p); err != nil {
		p = 0
	}
	switch kind {
	case "head":
		for _, head := range all.heads[mesh.DaemonID(id)] {
			if fmt.Sprint(head) == value {
				return true
			}
		}
		return false
	case "snapshot":
		return slices.Contains(all.states[mesh.DaemonID(id)], value)
	case "step":
		var at mesh.Position
		_, err := fmt.Sscan(place, &at)
		return err == nil && all.steps[mesh.DaemonID(id)][at] == value
	case "given":
		return all.givens[p] == value
	case "row":
		return all.outs[p] == value
	case "document":
		return slices.Contains(all.documents[id], value)
	case "poison":
		return all.poison[p] == value
	}
	return false
}

// harm damages one file of a state directory in a random place.
func harm(t *testing.T, dir, how string, random *rand.Rand) {
	t.Helper()
	path := filepath.Join(dir, fileName)
	if beside, err := filepath.Glob(filepath.Join(dir, besideDir, "*")); err == nil && len(beside) > 0 {
		if random.IntN(5) == 0 {
			path = beside[random.IntN(len(beside))]
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	switch how {
	case "a flipped bit":
		content[random.IntN(len(content))] ^= 1 << random.IntN(8)
	case "a flipped bit in a page header":
		at := random.IntN((len(content)+page-1)/page)*page + random.IntN(48)
		content[min(at, len(content)-1)] ^= 1 << random.IntN(8)
	case "a page of zeros":
		at := random.IntN((len(content)+page-1)/page) * page
		clear(content[at:min(at+page, len(content))])
	case "a cut":
		content = content[:random.IntN(len(content))]
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsFoundAndNeverServed damages the files of a full store, and wants it to start, to serve nothing that was
// never written, and to raise an alarm whenever something is gone or older than it was.
func TestDamageIsFoundAndNeverServed(t *testing.T) {
	rounds := 5
	if os.Getenv("CI_LONG") != "" {
		rounds = 50
	}
	origin := t.TempDir()
	all := fill(t, origin)
	whole := copyDir(t, origin)
	s, stop := start(t, whole, Options{})
	want := readHeld(t, s)
	if alarms := s.Alarms(); len(alarms) > 0 {
		t.Fatalf("alarms without damage: %v", alarms)
	}
	stop()
	for _, how := range []string{"a flipped bit", "a flipped bit in a page header", "a page of zeros", "a cut"} {
		t.Run(how, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(len(how)), 7))
			for round := range rounds {
				dir := copyDir(t, origin)
				harm(t, dir, how, random)
				if random.IntN(2) == 0 {
					if err := os.Remove(filepath.Join(dir, cleanName)); err != nil {
						t.Fatal(err)
					}
				}
				judge(t, fmt.Sprintf("round %d", round), dir, all, want)
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func judge(t *testing.T, round, dir string, all *truth, want held) {
	t.Helper()
	s, err := Open(dir, Options{Check: checkCommand(), CheckTimeout: 20 * time.Second})
	if err != nil {
		t.Errorf("%s: did not start: %v", round, err)
		return
	}
	defer s.Close()
	got := readHeld(t, s)
	alarms := s.Alarms()
	for name, value := range got.items {
		if !all.known(name, value) {
			t.Errorf("%s: %s was never %.60q", round, name, value)
		}
	}
	for name, value := range want.items {
		if found, ok := got.items[name]; (!ok || found != value) && len(alarms) == 0 {
			t.Errorf("%s: %s is %.60q, was %.60q, and nobody was told", round, name, found, value)
		}
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func damageFile(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
