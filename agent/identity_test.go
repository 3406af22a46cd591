package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentityIsKeptOverStarts(t *testing.T) {
	dir := t.TempDir()
	first, _, err := OpenIdentity(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	second, damage, err := OpenIdentity(dir, "")
	if err != nil || damage != nil {
		t.Fatal(err, damage)
	}
	if first.Node != second.Node {
		t.Errorf("node %s became %s", first.Node, second.Node)
	}
	if first.Instance == second.Instance || len(first.Instance) != 32 {
		t.Errorf("instances %q and %q, want two of 32 digits", first.Instance, second.Instance)
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestDamagedKeyIsSetAsideAndSaid(t *testing.T) {
	for name, damaged := range map[string]string{
		"empty": "", "cut": "abcd", "flipped": strings.Repeat("0", 64) + " 12345678\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, keyFile)
			if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			id, damage, err := OpenIdentity(dir, "")
			if err != nil || damage == nil || id.Node == "" {
				t.Fatalf("node %q, damage %v, error %v: want a node and damage", id.Node, damage, err)
			}
			if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != damaged {
				t.Errorf("evidence is %q (%v), want %q", kept, err, damaged)
			}
		})
	}
}

func TestNodeNameFollowsTheHostname(t *testing.T) {
	for host, want := range map[string]string{
		"Gateway-7.plant.example": "gateway-7", "---": "node", "Ü-berlin": "berlin", "": "node",
		strings.Repeat("a", 80): strings.Repeat("a", 56),
	} {
		if got := slug(host); got != want {
			t.Errorf("slug of %q is %q, want %q", host, got, want)
		}
	}
}

func TestNodeNameThatCannotBeIsRefused(t *testing.T) {
	if _, _, err := OpenIdentity(t.TempDir(), "Not A Name"); err == nil {
		t.Error("no error for a node called Not A Name")
	}
}
