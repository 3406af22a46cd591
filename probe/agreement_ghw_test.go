package probe

import (
	"archive/tar"
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jaypipes/ghw"
)

// checkGHW holds disks and interfaces against what ghw says of its own snapshots.
func checkGHW(a *agreement) {
	const family = "ghw"
	t := a.t
	for _, archive := range recorded(t, family, "*.tar.gz") {
		base := strings.TrimSuffix(filepath.Base(archive), ".tar.gz")
		root := t.TempDir()
		extract(t, archive, root)
		quiet := []any{ghw.WithChroot(root), ghw.WithDisableTools(),
			ghw.WithLogger(slog.New(slog.DiscardHandler))}
		r, err := Run(t.Context(), Options{Timeout: patience, Root: root, Virtual: true,
			Subjects: []Subject{storageSubject(), networkSubject()}})
		if err != nil {
			t.Fatal(err)
		}
		got := valuesOf(r)
		if block, err := ghw.Block(quiet...); err == nil {
			for _, d := range block.Disks {
				a.disk(family, base, d, got)
			}
		}
		if network, err := ghw.Network(quiet...); err == nil {
			for _, nic := range network.NICs {
				kind := one(got["hardware.network.interface."+keyword(nic.Name)])
				a.check(family, base, "virtual interface", strconv.FormatBool(kind == "virtual"),
					strconv.FormatBool(nic.IsVirtual), nil)
			}
		}
	}
}

func (a *agreement) disk(family, base string, d *ghw.Disk, got map[string][]string) {
	key := "hardware.storage.disk." + keyword(d.Name)
	for _, made := range notDisks {
		if rest, ok := strings.CutPrefix(d.Name, made); ok && strings.Trim(rest, "0123456789") == "" {
			return // ghw lists volumes and memory as disks
		}
	}
	if d.SizeBytes > 0 {
		a.check(family, base, "disk size", one(got[key+".bytes"]), strconv.FormatUint(d.SizeBytes, 10), nil)
	}
	_, removable := got[key+".removable"]
	a.check(family, base, "disk removable", strconv.FormatBool(removable), strconv.FormatBool(d.IsRemovable),
		func() string {
			if kind := one(got[key]); kind == "usb" || kind == "sd" {
				return "a disk on USB and a card can be taken out, whatever the kernel's flag says"
			}
			return ""
		})
	kinds := map[string]string{"hdd": "HDD", "ssd": "SSD", "nvme": "SSD", "optical": "ODD"}
	if kind := kinds[one(got[key])]; kind != "" {
		a.check(family, base, "disk kind", kind, d.DriveType.String(), nil)
	}
}

// extract unpacks an archive below dir, links as they are.
func extract(t testing.TB, archive, dir string) {
	t.Helper()
	data, err := uncompressed(archive)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsLocal(h.Name) {
			continue
		}
		to := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(to, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, to)
		case tar.TypeReg:
			var body []byte
			if body, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, body, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// textArchive reads a ttar archive: files written out as lines of text.
func textArchive(t testing.TB, name string) memory {
	t.Helper()
	m := machine{}
	at := ""
	lines := strings.SplitAfter(string(content(t, name)), "\n")
	for i := 0; i < len(lines); i++ {
		key, value, _ := strings.Cut(strings.TrimSuffix(lines[i], "\n"), ": ")
		_, inside, _ := strings.Cut(value, "fixtures")
		switch key {
		case "Path":
			at = inside
		case "Directory":
			m[inside+"/"] = ""
		case "SymlinkTo":
			m[at] = "-> " + strings.TrimSuffix(value, "/")
		case "Lines":
			n, err := strconv.Atoi(value)
			if err != nil || i+n >= len(lines) {
				t.Fatalf("%s: line %d: %q", name, i, lines[i])
			}
			body := strings.Join(lines[i+1:i+1+n], "")
			body = strings.ReplaceAll(strings.ReplaceAll(body, "NULLBYTE", "\x00"), "EOF\n", "")
			m[at] = body
			i += n
		}
	}
	return m.tree()
}

// checkProcfs holds the probe against the few facts that the text archive of procfs's authors is made of.
func checkProcfs(a *agreement) {
	const family = "prometheus"
	for _, name := range recorded(a.t, family, "*.ttar.gz") {
		got := a.told(textArchive(a.t, name))
		for key, want := range map[string]string{
			"hardware.gpu.0.vram_bytes": "8573157376", "hardware.gpu.0.driver": "amdgpu",
			"hardware.network.interface.eth0.speed_mbps": "1000", "hardware.network.interface.eth0": "ethernet",
		} {
			a.check(family, filepath.Base(name), strings.TrimPrefix(key, "hardware."), one(got[key]), want, nil)
		}
		_, battery := got["hardware.power.battery"]
		_, mains := got["hardware.power.mains"]
		a.check(family, filepath.Base(name), "supplies", strconv.FormatBool(battery && mains), "true", nil)
	}
}
