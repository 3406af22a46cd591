package lossy

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func mounted(t *testing.T, d *Disk) string {
	t.Helper()
	dir := t.TempDir()
	unmount, err := d.Mount(dir)
	if err != nil {
		t.Skipf("no FUSE: it needs /dev/fuse, and root or fusermount3: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func writeFile(t *testing.T, path string, content []byte, synced bool) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if synced {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
}

func syncDir(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestCutKeepsWhatWasSyncedAndDropsTheRest(t *testing.T) {
	d := New()
	dir := mounted(t, d)
	writeFile(t, filepath.Join(dir, "kept"), []byte("one"), true)
	writeFile(t, filepath.Join(dir, "empty"), []byte("two"), false)
	syncDir(t, dir)
	writeFile(t, filepath.Join(dir, "nameless"), []byte("three"), true)
	if err := os.Rename(filepath.Join(dir, "kept"), filepath.Join(dir, "renamed")); err != nil {
		t.Fatal(err)
	}
	d.CutNow(Cut{Mode: Drop})
	if _, err := os.ReadFile(filepath.Join(dir, "renamed")); !errors.Is(err, syscall.EIO) {
		t.Errorf("reading after the cut gives %v, want EIO", err)
	}
	dir = mounted(t, d)
	for name, want := range map[string]string{"kept": "one", "empty": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory holds %v, %v; want two files", entries, err)
	}
}

func TestTornWriteKeepsWholeSectors(t *testing.T) {
	torn := 0
	for seed := range uint64(20) {
		d := New()
		dir := mounted(t, d)
		path := filepath.Join(dir, "f")
		writeFile(t, path, bytes.Repeat([]byte{'a'}, 8*Sector), true)
		syncDir(t, dir)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Repeat([]byte{'b'}, 8*Sector)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		d.CutNow(Cut{Mode: Torn, Seed: seed})
		got, err := os.ReadFile(filepath.Join(mounted(t, d), "f"))
		if err != nil || len(got) != 8*Sector {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if bytes.Contains(got, []byte("a")) && bytes.Contains(got, []byte("b")) {
			torn++
		}
		for s := 0; s < len(got); s += Sector {
			if n := bytes.Count(got[s:s+Sector], got[s:s+1]); n != Sector {
				t.Fatalf("sector %d is torn itself", s/Sector)
			}
		}
	}
	if torn == 0 {
		t.Error("no write was torn in 20 cuts")
	}
}

func TestCutComesAtItsOperation(t *testing.T) {
	d := New()
	dir := mounted(t, d)
	cut := d.CutAt(Cut{After: 3, Mode: Drop})
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the third operation gives %v, want EIO", err)
	}
	<-cut
}

func TestFaultsAreGivenAndGo(t *testing.T) {
	cases := map[string]struct {
		faults      Faults
		write, sync error
	}{
		"full":        {Faults{Full: true}, syscall.ENOSPC, nil},
		"read-only":   {Faults{ReadOnly: true}, syscall.EROFS, nil},
		"bad writes":  {Faults{Write: syscall.EIO}, syscall.EIO, nil},
		"bad syncs":   {Faults{Sync: syscall.EIO}, nil, syscall.EIO},
		"slow syncs":  {Faults{Delay: 20 * time.Millisecond}, nil, nil},
		"lying syncs": {Faults{Lie: true}, nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := New()
			f, err := os.Create(filepath.Join(mounted(t, d), "f"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d.Set(c.faults)
			begun := time.Now()
			if _, err := f.Write([]byte("x")); !errors.Is(err, c.write) {
				t.Errorf("write gives %v, want %v", err, c.write)
			}
			if err := f.Sync(); !errors.Is(err, c.sync) {
				t.Errorf("sync gives %v, want %v", err, c.sync)
			}
			if took := time.Since(begun); took < c.faults.Delay {
				t.Errorf("write and sync took %s, want at least %s", took, c.faults.Delay)
			}
			d.Set(Faults{})
			_, err = f.Write([]byte("y"))
			if err := errors.Join(err, f.Sync()); err != nil {
				t.Errorf("the disk is good again, and gives %v", err)
			}
		})
	}
}
