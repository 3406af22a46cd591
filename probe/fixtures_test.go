package probe

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fixtures is the folder with recordings of real machines. It is no part of the project: tests skip without it, and
// fail where it was promised.
func fixtures(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("EDGE_AGENT_FIXTURES")
	promised := dir != ""
	if !promised {
		dir = "../../shared/fixtures"
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		if promised {
			t.Fatalf("EDGE_AGENT_FIXTURES: %v", err)
		}
		t.Skipf("no recorded machines at %s: set EDGE_AGENT_FIXTURES to their folder", dir)
	}
	return dir
}

// recorded lists the files of a family, sorted.
func recorded(t testing.TB, family, pattern string) []string {
	t.Helper()
	dir := filepath.Join(fixtures(t), family)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recorded machines of family %s in %s", family, filepath.Dir(dir))
	}
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// content is a file, uncompressed by its suffix.
func content(t testing.TB, name string) []byte {
	t.Helper()
	data, err := uncompressed(name)
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return data
}

func uncompressed(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch path.Ext(name) {
	case ".gz", ".tgz":
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case ".bz2":
		return io.ReadAll(bzip2.NewReader(f))
	case ".xz":
		return exec.Command("xz", "-dc", name).Output()
	}
	return io.ReadAll(f)
}

// rooted is one recorded machine of an archive.
type rooted struct {
	name string
	tree memory
}

// opened keeps what was unpacked: several tests ask for the same machines, and none changes them.
var opened sync.Map

// unpacked gives the machines in a tar archive: every directory that holds sys or proc.
func unpacked(t testing.TB, archive string) []rooted {
	t.Helper()
	if machines, ok := opened.Load(archive); ok {
		return machines.([]rooted)
	}
	machines := unpack(t, archive)
	opened.Store(archive, machines)
	return machines
}

func unpack(t testing.TB, archive string) []rooted {
	t.Helper()
	data, err := uncompressed(archive)
	if errors.Is(err, exec.ErrNotFound) {
		t.Logf("skipping %s: no xz to unpack it", filepath.Base(archive))
		return nil
	}
	if err != nil {
		t.Fatalf("unpacking %s: %v", archive, err)
	}
	entries, order := entriesOf(t, archive, data)
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(archive), path.Ext(archive)), ".tar")
	var machines []rooted
	for _, root := range rootsOf(order) {
		m := rooted{base, memory{nodes: map[string]string{}, dirs: map[string][]string{"/": nil}}}
		for _, name := range order {
			if inside, ok := strings.CutPrefix(name, root); ok {
				m.tree.add("/"+inside, entries[name])
			}
		}
		m.tree.sort()
		machines = append(machines, m)
	}
	for i := range machines {
		if len(machines) > 1 {
			machines[i].name = fmt.Sprintf("%s#%d", base, i)
		}
	}
	return machines
}

func entriesOf(t testing.TB, archive string, data []byte) (map[string]string, []string) {
	t.Helper()
	entries, order := map[string]string{}, []string(nil)
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return entries, order
		}
		if err != nil {
			t.Fatalf("unpacking %s: %v", archive, err)
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		switch h.Typeflag {
		case tar.TypeDir:
			name += "/"
			entries[name] = ""
		case tar.TypeSymlink:
			entries[name] = "-> " + h.Linkname
		default:
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("unpacking %s: %s: %v", archive, h.Name, err)
			}
			entries[name] = string(body)
		}
		order = append(order, name)
	}
}

func rootsOf(names []string) []string {
	found := map[string]bool{}
	for _, name := range names {
		at := ""
		for range 4 {
			first, rest, ok := strings.Cut(name[len(at):], "/")
			if !ok {
				break
			}
			if first == "sys" || first == "proc" {
				found[at] = true
				break
			}
			if rest == "" {
				break
			}
			at += first + "/"
		}
	}
	var roots []string
	for root := range found {
		roots = append(roots, root)
	}
	slices.Sort(roots)
	return roots
}

// files reads a recording that is one JSON object from path to content.
func files(t testing.TB, name string) memory {
	t.Helper()
	var all map[string]string
	if err := json.Unmarshal(content(t, name), &all); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return machine(all).tree()
}
