package probe

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs")

// agreement tallies, over the recorded machines, how often the probe says what another source says of the same machine.
type agreement struct {
	t      *testing.T
	rows   map[row]*score
	reason map[string]int // why a difference is allowed, and how often it came up
}

type row struct{ family, fact string }

type score struct{ checked, agreed, explained int }

// check compares one fact. A difference needs a general reason, by which it would be right on any machine; with none
// it fails the test.
func (a *agreement) check(family, machine, fact, got, want string, reason func() string) {
	key := row{family, fact}
	s := a.rows[key]
	if s == nil {
		s = &score{}
		a.rows[key] = s
	}
	s.checked++
	if got == want {
		s.agreed++
		return
	}
	why := ""
	if reason != nil {
		why = reason()
	}
	if why == "" {
		a.t.Errorf("%s: %s: %s is %q, the other source says %q", family, machine, fact, got, want)
		return
	}
	s.explained++
	a.reason[family+": "+fact+": "+why]++
}

// table is the agreement in Markdown.
func (a *agreement) table() string {
	var b strings.Builder
	b.WriteString("| family | fact | checked | agree | differ with reason |\n|---|---|--:|--:|--:|\n")
	keys := make([]row, 0, len(a.rows))
	for k := range a.rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.family, y.family), cmp.Compare(x.fact, y.fact))
	})
	var all score
	for _, k := range keys {
		s := a.rows[k]
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d |\n", k.family, k.fact, s.checked, s.agreed, s.explained)
		all.checked, all.agreed, all.explained = all.checked+s.checked, all.agreed+s.agreed, all.explained+s.explained
	}
	fmt.Fprintf(&b, "| all | | %d | %d (%.1f %%) | %d |\n", all.checked, all.agreed,
		100*float64(all.agreed)/float64(max(1, all.checked)), all.explained)
	var reasons []string
	for why, n := range a.reason {
		reasons = append(reasons, fmt.Sprintf("- %s (%d)\n", why, n))
	}
	slices.Sort(reasons)
	if len(reasons) > 0 {
		b.WriteString("\nEvery difference, and why:\n\n" + strings.Join(reasons, ""))
	}
	return b.String()
}

// families are the recorded machines that come with another source to hold the probe against.
func families() map[string]func(*agreement) {
	return map[string]func(*agreement){
		"hwloc-x86-cpuid":   checkCPUID,
		"util-linux-lsmem":  checkLsmem,
		"util-linux-lscpu":  checkLscpu,
		"hwloc-linux":       checkHwloc,
		"jetson-boards":     checkJetson,
		"sbc-bench-cpuinfo": checkCPUInfo,
		"sbc-bench-report":  checkReports,
		"pytorch-cpuinfo":   checkPhones,

		"checkbox-udevadm":        checkDevices,
		"util-linux-lsblk":        checkLsblk,
		"umockdev":                checkUmockdev,
		"gpu-nvidia-smi-captures": checkCaptures,
		"gpu-telegraf":            checkTelegraf,
		"rocm-topology":           checkROCm,
		"ghw":                     checkGHW,
		"prometheus":              checkProcfs,
	}
}

func TestProbeAgreesWithOtherSourcesOnRecordedMachines(t *testing.T) {
	fixtures(t)
	a := &agreement{t: t, rows: map[row]*score{}, reason: map[string]int{}}
	for _, check := range families() {
		check(a)
	}
	t.Logf("\n%s", a.table())
	compareDoc(t, "probe.md", "agreement", a.table())
}

// compareDoc holds the part of a page in docs between its markers against what the code says, or rewrites it.
func compareDoc(t *testing.T, page, part, want string) {
	t.Helper()
	name := filepath.Join("..", "docs", page)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+part+" -->\n", "<!-- end of "+part+" -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no part between %q and %q", name, begin, end)
	}
	want = "\n" + want + "\n"
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s: the part %q is stale: go test ./probe -update", name, part)
		return
	}
	if err := os.WriteFile(name, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// told runs the whole probe on a recorded machine; each key leads to its values.
func (a *agreement) told(tree Tree, subjects ...Subject) map[string][]string {
	r, err := Run(a.t.Context(), Options{Timeout: patience, Tree: tree, Subjects: patient(subjects...)})
	if err != nil {
		a.t.Fatal(err)
	}
	return valuesOf(r)
}

// valuesOf gives each key with its values.
func valuesOf(r Result) map[string][]string {
	values := map[string][]string{}
	for _, f := range r.Facts {
		value, _ := f.Tag.Value()
		values[f.Tag.Key()] = append(values[f.Tag.Key()], value)
	}
	return values
}

func one(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	return strings.Join(values, " ")
}
