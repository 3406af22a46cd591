package persist

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A power cut is played on paper: a tracer writes down every write, sync and rename of a process, and a disk that keeps
// only what was synced, and any part of the rest, is put together for any moment of that record.

// disk is what a machine's disk and memory hold of one directory.
type disk struct {
	names   map[string]*inode // as the process sees them
	synced  map[string]*inode // as of the last sync of their directory
	pending []entryChange     // since then, in order
	lies    bool              // a disk that says it has synced and has not
}

// entryChange is a change of a directory: a name gets a file, or none.
type entryChange struct {
	name string
	file *inode
}

// inode is a file: what was synced, and the writes since.
type inode struct {
	now, synced []byte
	pending     []patch
}

// patch is a write, or a change of size when data is nil.
type patch struct {
	at   int64
	data []byte
}

func (p patch) apply(content []byte) []byte {
	end := p.at + int64(len(p.data))
	if p.data == nil {
		if int64(len(content)) > p.at {
			return content[:p.at:p.at]
		}
	}
	if int64(len(content)) < end {
		content = append(content, make([]byte, end-int64(len(content)))...)
	}
	copy(content[p.at:], p.data)
	return content
}

func (d *disk) set(name string, file *inode) {
	d.pending = append(d.pending, entryChange{name, file})
	if file == nil {
		delete(d.names, name)
		return
	}
	d.names[name] = file
}

func (f *inode) write(p patch) {
	f.now = p.apply(f.now)
	f.pending = append(f.pending, p)
}

func (d *disk) sync(name string, directory bool) {
	if d.lies {
		return
	}
	if f := d.names[name]; f != nil {
		f.synced, f.pending = bytes.Clone(f.now), nil
	} else if directory {
		d.synced, d.pending = maps.Clone(d.names), nil
	}
}

// cut puts together what the disk may hold when the power goes now.
func (d *disk) cut(t *testing.T, how string, random *rand.Rand, dir string) {
	t.Helper()
	names := maps.Clone(d.synced)
	for _, n := range d.pending[:random.IntN(len(d.pending)+1)] {
		names[n.name] = n.file
	}
	for name, f := range names {
		if f == nil {
			continue
		}
		content := bytes.Clone(f.synced)
		for _, p := range f.pending {
			switch {
			case how == "dropped" || random.IntN(2) == 0:
			case how == "torn" && len(p.data) > 0:
				for at := 0; at < len(p.data); at += 512 {
					if random.IntN(2) == 0 {
						piece := p.data[at:min(at+512, len(p.data))]
						content = patch{p.at + int64(at), piece}.apply(content)
					}
				}
			default:
				content = p.apply(content)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// deed is one line of the record: it changes the disk, or says what the writer said.
type deed struct {
	do   func(*disk)
	said string
}

var (
	tracedPaths = `AT_FDCWD<[^>]*>, "([^"]*)"`
	tracedCalls = map[string]*regexp.Regexp{
		"pwrite64":  regexp.MustCompile(`^\(\d+<([^>]*)>, "([^"]*)", \d+, (\d+)\) += \d`),
		"write":     regexp.MustCompile(`^\(\d+<([^>]*)>, "([^"]*)", \d+\) += \d`),
		"ftruncate": regexp.MustCompile(`^\(\d+<([^>]*)>, (\d+)\) += 0`),
		"fdatasync": regexp.MustCompile(`^\(\d+<([^>]*)>\) += 0`),
		"fsync":     regexp.MustCompile(`^\(\d+<([^>]*)>\) += 0`),
		"renameat":  regexp.MustCompile(`^\(` + tracedPaths + `, ` + tracedPaths + `\) += 0`),
		"unlinkat":  regexp.MustCompile(`^\(` + tracedPaths + `, 0\) += 0`),
		"openat":    regexp.MustCompile(`^\(` + tracedPaths + `, ([A-Z_|]*O_CREAT[A-Z_|]*), \d+\) += \d`),
	}
)

// plain undoes the tracer's \xNN.
func plain(s string) []byte {
	b := make([]byte, 0, len(s)/4)
	for ; len(s) >= 4; s = s[4:] {
		n, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil {
			return nil
		}
		b = append(b, byte(n))
	}
	return b
}

// recordWriter runs a writer under a tracer and reads what it did to a directory.
func recordWriter(t *testing.T, groups int) (deeds []deed) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil || os.Getenv("CI_EMULATOR") != "" {
		t.Skip("recording a writer needs strace, without an emulator")
	}
	dir, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	calls := strings.Join(slices.Sorted(maps.Keys(tracedCalls)), ",")
	args := []string{"-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", "trace=" + calls, "-o", log}
	args = append(args, self("child-writer", dir, "7", fmt.Sprint(groups))...)
	if out, err := exec.Command(strace, args...).CombinedOutput(); err != nil {
		t.Skipf("recording a writer needs a working strace: %v: %.200s", err, out)
	}
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begun := make(map[string]string)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		process, line, _ := strings.Cut(lines.Text(), " ")
		line = strings.TrimSpace(line)
		if first, ok := strings.CutSuffix(line, " <unfinished ...>"); ok {
			begun[process] = first
			continue
		}
		if _, rest, ok := strings.Cut(line, " resumed>"); ok {
			line = begun[process] + rest
		}
		if d, ok := readDeed(line, dir); ok {
			deeds = append(deeds, d)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return deeds
}

func readDeed(line, dir string) (deed, bool) {
	call, rest, _ := strings.Cut(line, "(")
	pattern := tracedCalls[call]
	if pattern == nil {
		return deed{}, false
	}
	m := pattern.FindStringSubmatch("(" + rest)
	if m == nil {
		return deed{}, false
	}
	path := string(plain(m[1]))
	if call == "write" && strings.HasPrefix(path, "pipe:") {
		return deed{said: string(plain(m[2]))}, true
	}
	name, err := filepath.Rel(dir, path)
	if err != nil || strings.HasPrefix(name, "..") {
		return deed{}, false
	}
	do := func(d *disk) {}
	switch call {
	case "pwrite64", "ftruncate":
		at, _ := strconv.ParseInt(m[len(m)-1], 10, 64)
		var data []byte
		if call == "pwrite64" {
			data = plain(m[2])
		}
		do = func(d *disk) { d.names[name].write(patch{at, data}) }
	case "write":
		data := plain(m[2])
		do = func(d *disk) { d.names[name].write(patch{int64(len(d.names[name].now)), data}) }
	case "fsync", "fdatasync":
		do = func(d *disk) { d.sync(name, call == "fsync") }
	case "renameat":
		to, err := filepath.Rel(dir, string(plain(m[2])))
		if err != nil {
			return deed{}, false
		}
		do = func(d *disk) { d.set(to, d.names[name]); d.set(name, nil) }
	case "unlinkat":
		do = func(d *disk) { d.set(name, nil) }
	case "openat":
		do = func(d *disk) {
			if d.names[name] == nil {
				d.set(name, &inode{})
			} else if strings.Contains(m[2], "O_TRUNC") {
				d.names[name].write(patch{})
			}
		}
	}
	return deed{do: do}, true
}

// TestPowerCutLosesNothingAcknowledged cuts a recorded writer off at many moments.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	cuts := 5
	if os.Getenv("CI_LONG") != "" {
		cuts = 100
	}
	deeds := recordWriter(t, 20)
	for _, how := range []string{"dropped", "reordered", "torn"} {
		t.Run(how, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(len(how)), 3))
			for range cuts {
				at := random.IntN(len(deeds) + 1)
				if why := cutAt(t, deeds[:at], how, random, false); why != "" {
					t.Errorf("cut after %d of %d deeds: %s", at, len(deeds), why)
				}
			}
		})
	}
	t.Run("a disk that lies is found out", func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 3))
		for range 100 {
			if cutAt(t, deeds[:len(deeds)-random.IntN(len(deeds)/2)], "torn", random, true) != "" {
				return
			}
		}
		t.Error("a disk that never syncs lost nothing: the test would find no fault")
	})
}

// cutAt says what is wrong with what a cut after some deeds has left.
func cutAt(t *testing.T, deeds []deed, how string, random *rand.Rand, lies bool) (wrong string) {
	t.Helper()
	d := &disk{names: make(map[string]*inode), synced: make(map[string]*inode), lies: lies}
	var acked, tried [3]uint64
	for _, deed := range deeds {
		if deed.do != nil {
			deed.do(d)
			continue
		}
		var verb string
		var counts [3]uint64
		if _, err := fmt.Sscan(deed.said, &verb, &counts[0], &counts[1], &counts[2]); err != nil {
			t.Fatalf("the writer said %q: %v", deed.said, err)
		}
		tried = counts
		if verb == "ack" {
			acked = counts
		}
	}
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d.cut(t, how, random, dir)
	s, err := Open(dir, Options{Check: checkCommand()})
	if err != nil {
		return fmt.Sprintf("did not start: %v", err)
	}
	defer s.Close()
	if alarms := s.Alarms(); len(alarms) > 0 {
		return fmt.Sprintf("alarms: %v", alarms)
	}
	for i, id := range counterIDs {
		c, err := restore(s, id)
		if err != nil {
			return err.Error()
		}
		if c.count < acked[i] || c.count > tried[i] {
			return fmt.Sprintf("%s counted %d: acknowledged %d, tried %d", id, c.count, acked[i], tried[i])
		}
		if want := chainOf(id, c.count).Head(); c.count > 0 && c.chain.Head() != want {
			return fmt.Sprintf("%s: head %+v, want %+v", id, c.chain.Head(), want)
		}
		if !lies {
			checkRows(t, s, id, c.count)
		}
	}
	return ""
}
