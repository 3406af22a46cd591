package house

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, ".md") {
			found = append(found, name)
		}
	}
	return found
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", page, match[1], err)
				continue
			}
			if anchor != "" && strings.HasSuffix(file, ".md") && !hasHeading(read(t, file), anchor) {
				t.Errorf("%s: link to %s: no such heading", page, match[1])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

func hasHeading(text, anchor string) bool {
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		heading := strings.ToLower(strings.TrimLeft(line, "# "))
		if strings.ReplaceAll(notInAnchor.ReplaceAllString(heading, ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

var (
	makeWord   = regexp.MustCompile("(?m)(?:^|`|\\$ )make ([a-z]+)")
	makeTarget = regexp.MustCompile(`(?m)^([a-z]+):`)
)

func TestPagesNameMakeTargetsThatExist(t *testing.T) {
	targets := map[string]bool{}
	for _, match := range makeTarget.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[match[1]] = true
	}
	for _, page := range pages(t) {
		for _, match := range makeWord.FindAllStringSubmatch(read(t, page), -1) {
			if !targets[match[1]] {
				t.Errorf("%s: make %s: the Makefile has no such target", page, match[1])
			}
		}
	}
}

func TestEveryMakeTargetHasHelp(t *testing.T) {
	for _, line := range strings.Split(read(t, "Makefile"), "\n") {
		if match := makeTarget.FindStringSubmatch(line); match != nil && !strings.Contains(line, "## ") {
			t.Errorf("Makefile: %s has no help (## …)", match[1])
		}
	}
}

func TestTheNewestReleaseIsInTheChangelog(t *testing.T) {
	version := regexp.MustCompile(`(?m)^VERSION \?= (\S+)`).FindStringSubmatch(read(t, "Makefile"))
	if version == nil {
		t.Fatal("Makefile: no VERSION")
	}
	if text := read(t, "CHANGELOG.md"); !strings.Contains(text, "\n## "+version[1]) {
		t.Errorf("CHANGELOG.md: no section for %s", version[1])
	}
}

var (
	contractRow = regexp.MustCompile(`(?m)^\| *(\d+) *\|(.*)$`)
	namedTest   = regexp.MustCompile("`([a-z][a-z0-9/_-]*)\\.((?:Test|Fuzz|Benchmark|Example)\\w*)((?:/[^`]+)?)`")
)

// contractRows is how many promises the daemon contract makes.
const contractRows = 22

func TestTheContractNamesTestsThatExist(t *testing.T) {
	tests := map[string]bool{}
	for _, r := range rooms(t) {
		for _, f := range r.files {
			for _, d := range f.tree.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
					tests[r.path+"."+fn.Name.Name] = true
					tests[path.Base(r.path)+"."+fn.Name.Name] = true
				}
			}
		}
	}
	next := 1
	for _, row := range contractRow.FindAllStringSubmatch(read(t, "docs/contract.md"), -1) {
		if row[1] != strconv.Itoa(next) {
			t.Errorf("docs/contract.md: row %s; want %d", row[1], next)
		}
		next++
		named := namedTest.FindAllStringSubmatch(row[2], -1)
		if len(named) == 0 && !strings.Contains(row[2], "not yet") {
			t.Errorf("docs/contract.md: row %s names no test and does not say `not yet`", row[1])
		}
		for _, n := range named {
			if !tests[n[1]+"."+n[2]] {
				t.Errorf("docs/contract.md: row %s: no test %s.%s", row[1], n[1], n[2])
			}
		}
	}
	if next != contractRows+1 {
		t.Errorf("docs/contract.md: %d rows; want %d", next-1, contractRows)
	}
}
