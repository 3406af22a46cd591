package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/edge-agent/edge-agent/mesh"
)

func TestSecondOpenerHearsWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, Options{})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link} {
		for _, readOnly := range []bool{false, true} {
			_, err := Open(path, Options{ReadOnly: readOnly})
			var locked *LockedError
			if !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Since.IsZero() {
				t.Errorf("second open of %s, read only %v: %v", path, readOnly, err)
			}
		}
	}
}

func TestLockIsFreeAfterClose(t *testing.T) {
	dir := t.TempDir()
	_, stop := start(t, dir, Options{})
	stop()
	_, stop = start(t, dir, Options{})
	stop()
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, stop := start(t, dir, Options{Limits: Limits{SnapshotValue: 1}})
	w := newWriter()
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "x")}, Snapshots: []mesh.Snapshot{w.snapshot("a", "state")}})
	stop()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o600)
		if err == nil && info.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchemaIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, dir, Options{})
	commit(t, s, mesh.Group{Steps: []mesh.Step{newWriter().step("a", "x")}})
	stop()
	setSchema(t, dir, Schema+1)
	for name, marker := range map[string]bool{"after an orderly stop": true, "after an unclean stop": false} {
		t.Run(name, func(t *testing.T) {
			s := &Store{dir: dir}
			if err := os.Remove(s.cleanPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if marker {
				if err := s.markClean(); err != nil {
					t.Fatal(err)
				}
			}
			before := readAll(t, dir)
			_, err := Open(dir, Options{Check: checkCommand()})
			var newer *SchemaError
			if !errors.As(err, &newer) || newer.Have != Schema+1 || newer.Want != Schema {
				t.Errorf("open: %v", err)
			}
			after := readAll(t, dir)
			delete(before, lockName)
			delete(after, lockName)
			if len(before) != len(after) {
				t.Errorf("files %d before, %d after", len(before), len(after))
			}
			for name, content := range before {
				if !bytes.Equal(content, after[name]) {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
}

func setSchema(t *testing.T, dir string, version uint32) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, fileName), 0o600, &bolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		r := record{kind: schemaRecord, body: binary.LittleEndian.AppendUint32(nil, version)}
		return tx.Bucket([]byte(metaBucket)).Put(schemaKey, appendRecord(nil, metaBucket, schemaKey, r))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestReadOnlyStoreReadsAndDoesNotWrite(t *testing.T) {
	dir, w := t.TempDir(), newWriter()
	s, stop := start(t, dir, Options{})
	commit(t, s, mesh.Group{Steps: []mesh.Step{w.step("a", "x", "y")}})
	stop()
	before := readAll(t, dir)
	s, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := inputs(t, s, "a", 0); len(got) != 1 || got[0] != "x" {
		t.Errorf("replayed %q", got)
	}
	inv, err := s.Inspect()
	if err != nil || len(inv.Daemons) != 1 || len(inv.Problems) > 0 || inv.Rows != 1 {
		t.Fatalf("inventory %+v, %v", inv, err)
	}
	if d := inv.Daemons[0]; d.Daemon != "a" || d.Steps != 1 || d.Rows != 1 || d.Head != w.chain("a").Head() {
		t.Errorf("holding %+v", d)
	}
	if err := s.Put("b", "k", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("put: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range readAll(t, dir) {
		if !bytes.Equal(content, before[name]) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestDamagedFileIsNotOpenedForReading(t *testing.T) {
	dir := t.TempDir()
	_, stop := start(t, dir, Options{})
	stop()
	if err := os.Truncate(filepath.Join(dir, fileName), 9000); err != nil {
		t.Fatal(err)
	}
	before := readAll(t, dir)
	if _, err := Open(dir, Options{ReadOnly: true, Check: checkCommand()}); !errors.Is(err, ErrDamaged) {
		t.Errorf("open: %v", err)
	}
	for name, content := range readAll(t, dir) {
		if !bytes.Equal(content, before[name]) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestLooseFileIsCompactedAtOpen(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, dir, Options{Limits: Limits{Documents: 64 << 20}})
	big := make([]byte, 1<<20-100)
	for _, key := range "abcdefghijklmnopqrstuvwxyz" {
		if err := s.Put("big", string(key), big); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range "abcdefghijklmnopqrstuvwxy" {
		if err := s.Delete("big", string(key)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	before := fileSize(t, dir)
	s, _ = start(t, dir, Options{})
	after := fileSize(t, dir)
	if before < 24<<20 || after > 4<<20 {
		t.Errorf("file had %d bytes and has %d", before, after)
	}
	if got, ok, err := s.Get("big", "z"); err != nil || !ok || !bytes.Equal(got, big) {
		t.Errorf("the document left has %d bytes, %v, %v", len(got), ok, err)
	}
	if err := s.Put("big", "a", nil); err != nil {
		t.Errorf("put after compaction: %v", err)
	}
}

func fileSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
