package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// layers says for every package what it may import of this module and of others, beside the standard library.
// A name ending in /... stands for all below it. Tests are free.
var layers = map[string]struct {
	ours   []string
	others []string
}{
	// Roof: sees everything.
	"cmd/edge-agent": {
		ours: []string{"..."},
		others: []string{
			"github.com/alecthomas/kong", "gopkg.in/yaml.v3", "golang.org/x/sys/unix", "golang.org/x/sync/errgroup",
			"github.com/coreos/go-systemd/v22/daemon", "github.com/VictoriaMetrics/metrics",
		},
	},
	"cmd/edge-agent-nvml": {ours: []string{"probe"}, others: []string{"github.com/NVIDIA/go-nvml/..."}},

	// Upper: declares the interfaces it needs; never mqtt or persist.
	"agent": {
		ours:   []string{"agent/dispatch", "order", "mesh", "capability"},
		others: []string{"github.com/VictoriaMetrics/metrics", "golang.org/x/sync/errgroup", "golang.org/x/sys/unix"},
	},

	// Middle: none imports another, each wraps at most one outside family.
	"agent/dispatch": {
		ours: []string{"mesh", "capability"}, others: []string{"golang.org/x/sys/unix", "github.com/zeebo/xxh3"},
	},
	"agent/dispatch/bench": {ours: []string{"agent/dispatch", "mesh", "capability"}},
	"probe": {
		ours: []string{"order", "mesh", "capability"},
		others: []string{
			"github.com/jaypipes/ghw/...", "github.com/shirou/gopsutil/v3/...", "golang.org/x/sys/unix",
			"golang.org/x/sync/errgroup",
		},
	},
	"probe/bench": {
		ours:   []string{"probe"},
		others: []string{"github.com/jaypipes/ghw/...", "github.com/jaypipes/pcidb", "github.com/shirou/gopsutil/v3/..."},
	},
	"daemons/...":    {ours: []string{"mesh", "capability"}},
	"daemons/filter": {ours: []string{"mesh", "capability"}, others: []string{"github.com/expr-lang/expr/..."}},
	"mqtt": {
		ours: []string{"order", "mesh", "capability"},
		others: []string{
			"github.com/eclipse/paho.mqtt.golang/...", "github.com/mochi-mqtt/server/v2/...", "github.com/gorilla/websocket",
			"golang.org/x/net/...",
		},
	},
	"mqtt/bench": {ours: []string{"mqtt"}, others: []string{"github.com/eclipse/paho.mqtt.golang"}},
	"persist": {
		ours:   []string{"order", "mesh", "capability"},
		others: []string{"go.etcd.io/bbolt/...", "golang.org/x/sys/unix"},
	},

	"persist/bench": {ours: []string{"persist", "mesh"}, others: []string{"go.etcd.io/bbolt/...", "golang.org/x/sys/unix"}},

	// Ground: no goroutine, no input or output.
	"order":      {ours: []string{"mesh", "capability"}},
	"mesh":       {ours: []string{"capability"}, others: []string{"github.com/zeebo/xxh3", "golang.org/x/crypto/blake2s"}},
	"capability": {},

	// What tests share.
	"mesh/meshtest": {ours: []string{"mesh", "capability"}},

	// Tools of the tree itself.
	"test/...":          {},
	"test/faults/lossy": {others: []string{"github.com/hanwen/go-fuse/v2/...", "golang.org/x/sys/unix"}},
	"packaging/...":     {},
	"cross/...":         {},
}

var ground = []string{"order", "mesh", "capability"}

// outside are packages of the standard library that reach out of the process; ground has no use for them.
var outside = []string{"os", "net", "net/http", "os/exec", "syscall", "io/ioutil", "database/sql", "plugin"}

func TestImportsPointDown(t *testing.T) {
	for _, r := range rooms(t) {
		for _, f := range r.files {
			if f.test || strings.HasSuffix(r.path, "test") && r.path != "mesh/meshtest" {
				continue
			}
			rule, known := layers[r.path]
			if !known {
				rule, known = layers[parent(r.path)]
			}
			if !known {
				t.Errorf("%s: a package without a layer; name it in layers_test.go", r.path)
				break
			}
			for _, imported := range f.tree.Imports {
				checkImport(t, f.path, strings.Trim(imported.Path.Value, `"`), rule.ours, rule.others)
			}
		}
	}
}

func checkImport(t *testing.T, from, name string, ours, others []string) {
	t.Helper()
	own, isOurs := strings.CutPrefix(name, module+"/")
	switch {
	case name == "C":
	case isOurs && strings.HasSuffix(own, "test"):
		t.Errorf("%s imports %s, which only tests may", from, own)
	case isOurs && !within(own, ours):
		t.Errorf("%s imports %s, which is not below it", from, own)
	case !isOurs && strings.Contains(strings.Split(name, "/")[0], ".") && !within(name, others):
		t.Errorf("%s imports %s; another package wraps that, or it is not agreed on", from, name)
	}
}

// parent is the pattern that covers a package without a rule of its own.
func parent(room string) string {
	dir, _, _ := strings.Cut(room, "/")
	return dir + "/..."
}

func within(name string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(pattern string) bool {
		if pattern == "..." {
			return true
		}
		base, all := strings.CutSuffix(pattern, "/...")
		return name == base || all && strings.HasPrefix(name, base+"/")
	})
}

func TestGroundStartsNothingAndTouchesNothing(t *testing.T) {
	for _, r := range rooms(t) {
		if !slices.Contains(ground, r.path) {
			continue
		}
		for _, f := range r.files {
			if f.test {
				continue
			}
			for _, imported := range f.tree.Imports {
				if name := strings.Trim(imported.Path.Value, `"`); slices.Contains(outside, name) {
					t.Errorf("%s imports %s", f.path, name)
				}
			}
			ast.Inspect(f.tree, func(n ast.Node) bool {
				if _, starts := n.(*ast.GoStmt); starts {
					t.Errorf("%s starts a goroutine", fset.Position(n.Pos()))
				}
				return true
			})
		}
	}
}

func TestNothingRegistersItself(t *testing.T) {
	for _, r := range rooms(t) {
		for _, f := range r.files {
			for _, d := range f.tree.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: an init function", f.path)
				}
			}
		}
	}
}
