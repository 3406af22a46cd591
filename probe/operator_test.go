package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func declaredBy(t *testing.T, o Operator, m machine) Result {
	t.Helper()
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: m.tree(), Subjects: []Subject{}, Operator: o})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheOperatorDeclares(t *testing.T) {
	script := filepath.Join(t.TempDir(), "facts")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho devices.scale=2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	said := Operator{Tags: []string{"devices.printer", "scope:region=eu"}, Metadata: map[string]string{"rack": "7"},
		Dir: "/etc/facts.d", Command: []string{script}, Timeout: time.Minute}
	r := declaredBy(t, said, machine{"/etc/facts.d/plc": "# the line\ndevices.plc=s7\n\n",
		"/etc/facts.d/.swp": "devices.nothing", "/etc/facts.d/x~": "?"})
	if got, want := lines(r), "devices.plc=s7\ndevices.printer\ndevices.scale=2\nscope:region=eu\n"; got != want {
		t.Errorf("declared:\n%s\nwant:\n%s", got, want)
	}
	for _, f := range r.Facts {
		if f.State != Declared {
			t.Errorf("%s is %s; want declared", f.Tag, f.State)
		}
	}
	if r.Metadata["rack"] != "7" {
		t.Errorf("metadata: %v", r.Metadata)
	}
}

func TestNobodyDeclaresAMeasurement(t *testing.T) {
	for _, text := range []string{"hardware.gpu", "hardware.memory_gb=999", "software.os=debian", "causal:x=1", "fork-of:y",
		"HARDWARE.GPU", " hardware.gpu", "nonsense", "=", "devices."} {
		r := declaredBy(t, Operator{Tags: []string{text}}, nil)
		if len(r.Facts) != 0 || r.Reports[0].Status != Unsure {
			t.Errorf("%q was declared: %q, %v", text, lines(r), r.Reports[0].Status)
		}
	}
}

func TestABadCommandDeclaresNothing(t *testing.T) {
	tests := map[string]struct {
		script, reason string
	}{
		"fails":      {"exit 3", "exit status 3"},
		"floods":     {"while :; do echo devices.x; done", "running"},
		"is missing": {"", "no such file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "facts")
			if tt.script != "" {
				if err := os.WriteFile(script, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			r := declaredBy(t, Operator{Command: []string{script}, Timeout: time.Minute}, nil)
			if len(r.Facts) != 0 || !strings.Contains(r.Reports[0].Reason, tt.reason) {
				t.Errorf("declared %q, %q; want nothing, %q", lines(r), r.Reports[0].Reason, tt.reason)
			}
		})
	}
}
