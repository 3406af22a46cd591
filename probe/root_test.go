package probe

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// copiedMachine puts files, links and a pipe below a directory that stands beside a secret.
func copiedMachine(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	for _, d := range []string{"sys/class/net", "sys/devices/pci/eth0", "dev", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"../secret": "secret", "sys/devices/pci/eth0/speed": "1000\n", "etc/empty": "",
		"etc/long": strings.Repeat("x", 9000)} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"sys/class/net/eth0": "../../devices/pci/eth0", "etc/absolute": "/etc/long",
		"etc/out": "../../../../secret", "etc/loop": "loop", "etc/dangling": "/nothing"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(root, "dev/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestACopiedTreeIsReadWithinItsRoot(t *testing.T) {
	tree, err := Dir(copiedMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	fast := tree.(copied)
	byHand := fast
	byHand.root = nil
	trees := map[string]copied{"links followed by hand": byHand}
	if fast.root != nil {
		trees["links followed by the kernel"] = fast
	}
	for name, c := range trees {
		t.Run(name, func(t *testing.T) {
			if text, err := c.Read("/sys/class/net/eth0/speed", 64); string(text) != "1000\n" {
				t.Errorf("speed: %q, %v", text, err)
			}
			if text, err := c.Read("/etc/absolute", 8999); len(text) != 8999 || err != nil {
				t.Errorf("a long file: %d bytes, %v", len(text), err)
			}
			if text, err := c.Read("/etc/empty", 64); len(text) != 0 || err != nil {
				t.Errorf("an empty file: %q, %v", text, err)
			}
			for _, path := range []string{"/etc/out", "/etc/dangling", "/nothing/at/all"} {
				if text, err := c.Read(path, 64); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %q, %v; want that it does not exist", path, text, err)
				}
			}
			if _, err := c.Read("/etc/loop", 64); !errors.Is(err, unix.ELOOP) {
				t.Errorf("a loop: %v", err)
			}
			if _, err := c.Read("/dev/pipe", 64); !errors.Is(err, errNotRegular) {
				t.Errorf("a pipe: %v", err)
			}
			if real, err := c.Real("/sys/class/net/eth0"); real != "/sys/devices/pci/eth0" {
				t.Errorf("real path: %q, %v", real, err)
			}
			if real, err := c.Real("/../.."); real != "/" {
				t.Errorf("real path of the root: %q, %v", real, err)
			}
			if target, err := c.Readlink("/sys/class/net/eth0"); target != "../../devices/pci/eth0" {
				t.Errorf("link: %q, %v", target, err)
			}
			if _, err := c.Readlink("/etc/long"); err == nil {
				t.Error("a file read as a link")
			}
			if names, err := c.List("/sys/class/net"); !slices.Equal(names, []string{"eth0"}) {
				t.Errorf("names: %q, %v", names, err)
			}
			if names, err := c.List("/etc"); len(names) != 6 {
				t.Errorf("names: %q, %v", names, err)
			}
			if mode, err := c.Stat("/sys/class/net/eth0"); !mode.IsDir() {
				t.Errorf("mode: %v, %v", mode, err)
			}
			if mode, err := c.Stat("/etc/absolute"); !mode.IsRegular() {
				t.Errorf("mode: %v, %v", mode, err)
			}
		})
	}
}

func TestARootThatIsNoneIsRefused(t *testing.T) {
	root := copiedMachine(t)
	for _, dir := range []string{filepath.Join(root, "nothing"), filepath.Join(root, "etc/long")} {
		if _, err := Dir(dir); err == nil {
			t.Errorf("%s was taken for a machine", dir)
		}
	}
}
