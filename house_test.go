// Package house holds the agreements of the whole tree as tests: who may import whom, what every file and every page of
// documentation must keep. It has no code of its own.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const module = "github.com/edge-agent/edge-agent"

// room is one directory with Go files.
type room struct {
	path  string // from the root, with slashes
	files []file
}

// file is one Go file, as far as these tests look into it.
type file struct {
	path string
	test bool
	tree *ast.File
}

var fset = token.NewFileSet()

// rooms reads every Go file of the tree, whatever its build constraints say.
func rooms(t *testing.T) []*room {
	t.Helper()
	found, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var parsed = sync.OnceValues(func() ([]*room, error) {
	names, err := files()
	if err != nil {
		return nil, err
	}
	var found []*room
	byPath := map[string]*room{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			continue
		}
		tree, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		r := byPath[path.Dir(name)]
		if r == nil {
			r = &room{path: path.Dir(name)}
			byPath[r.path] = r
			found = append(found, r)
		}
		r.files = append(r.files, file{path: name, test: strings.HasSuffix(name, "_test.go"), tree: tree})
	}
	return found, nil
})

// tracked lists the files of the tree, without what building leaves behind.
func tracked(t *testing.T) []string {
	t.Helper()
	names, err := files()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var files = sync.OnceValues(func() ([]string, error) {
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (name == ".git" || name == "bin" || name == "dist"):
			return fs.SkipDir
		case d.Type().IsRegular() && name != ".git":
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	return names, err
})

func TestEveryPackageHasAComment(t *testing.T) {
	for _, r := range rooms(t) {
		if !hasComment(r) {
			t.Errorf("%s: no package comment", r.path)
		}
	}
}

func hasComment(r *room) bool {
	onlyTests := true
	for _, f := range r.files {
		onlyTests = onlyTests && f.test
	}
	for _, f := range r.files {
		if f.tree.Doc != nil && (onlyTests || !f.test) {
			return true
		}
	}
	return false
}

func TestEveryExportedTypeAndFunctionHasAComment(t *testing.T) {
	for _, r := range rooms(t) {
		for _, f := range r.files {
			if f.test || f.tree.Name.Name == "main" {
				continue
			}
			for _, name := range undocumented(f.tree) {
				t.Errorf("%s: %s has no comment", f.path, name)
			}
		}
	}
}

func undocumented(tree *ast.File) []string {
	var names []string
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() && d.Doc == nil {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s, ok := spec.(*ast.TypeSpec)
				if ok && s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}

const (
	maxLines   = 500
	maxColumns = 120
	longQuote  = 40 // a line may be wider for the sake of a quoted text this long
)

var quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`?|'[^']{20,}'")

func TestFilesStayShortAndNarrow(t *testing.T) {
	for _, name := range tracked(t) {
		if ext := path.Ext(name); ext != ".go" && ext != ".sh" || strings.Contains(name, "testdata/") {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(read(t, name), "\n"), "\n")
		if len(lines) > maxLines {
			t.Errorf("%s: %d lines; want at most %d", name, len(lines), maxLines)
		}
		for i, line := range lines {
			if utf8.RuneCountInString(line) <= maxColumns {
				continue
			}
			if utf8.RuneCountInString(quoted.ReplaceAllString(line, "")) > maxColumns-longQuote {
				t.Errorf("%s:%d: %d columns; want at most %d", name, i+1, utf8.RuneCountInString(line), maxColumns)
			}
		}
	}
}

func TestTheAgentNeedsNoCgo(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f",
		"{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}", "./cmd/edge-agent")
	list.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if packages := strings.Fields(string(out)); len(packages) > 0 {
		t.Errorf("edge-agent would use C in %v", packages)
	}
	for _, r := range rooms(t) {
		for _, f := range r.files {
			for _, imported := range f.tree.Imports {
				if imported.Path.Value == `"C"` && r.path != "cmd/edge-agent-nvml" {
					t.Errorf("%s: imports C", f.path)
				}
			}
		}
	}
}

// foreign finds what has no place in a tree that strangers read: keys, and paths of the machine it was written on.
var foreign = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}` +
	`|(?:^|[\s"'=(])/(?:work|root|home/\w+)/\w`)

func TestNoKeysAndNoPathsOfOneMachine(t *testing.T) {
	for _, name := range tracked(t) {
		text := read(t, name)
		if !utf8.ValidString(text) {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if found := foreign.FindString(line); found != "" {
				t.Errorf("%s:%d: %q", name, i+1, found)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
