// Command tally runs go test and counts what it did.
//
//	tally [-record FILE] [--] GO-TEST-ARGUMENTS   run, show one line for each package, what failed, and the totals
//	tally -sum FILE [-allow FILE]                 add up recorded runs; fail if a test was skipped everywhere
//
// The recorded file gets one line of JSON for each run, so that several runs add up. The allowed skips are lines of
// "package.Test reason"; everything else that no run passed must run somewhere.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"
)

func main() {
	record := flag.String("record", os.Getenv("TALLY"), "append the counts to this file")
	sum := flag.String("sum", "", "add up the runs recorded in this file")
	allow := flag.String("allow", "", "file of tests that may be skipped everywhere")
	flag.Parse()
	var err error
	if *sum != "" {
		err = addUp(os.Stdout, *sum, *allow)
	} else {
		err = run(*record, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// count is what one run did.
type count struct {
	Passed  []string          `json:"passed"`
	Failed  []string          `json:"failed"`
	Skipped map[string]string `json:"skipped"` // test to reason
}

func run(record string, args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	begin := time.Now()
	v := &viewer{out: os.Stdout, outputs: map[string][]string{}, seen: map[string]int{}}
	v.count.Skipped = map[string]string{}
	readErr := v.read(out)
	runErr := cmd.Wait()
	for _, name := range slices.Sorted(maps.Keys(v.count.Skipped)) {
		fmt.Printf("skip  %s: %s\n", name, v.count.Skipped[name])
	}
	fmt.Printf("%d passed, %d failed, %d skipped in %.0f s\n",
		len(v.count.Passed), len(v.count.Failed), len(v.count.Skipped), time.Since(begin).Seconds())
	if record != "" {
		if err := appendTo(record, v.count); err != nil {
			return err
		}
	}
	if readErr != nil {
		return readErr
	}
	return runErr
}

// viewer turns events into lines for a person, and counts.
type viewer struct {
	out     io.Writer
	count   count
	outputs map[string][]string // of tests and packages that have not ended
	seen    map[string]int      // tests of each package
	failed  map[string]bool     // packages in which a test failed
}

func (v *viewer) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				v.take(e)
			} else {
				fmt.Fprint(v.out, string(line))
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (v *viewer) take(e event) {
	name := e.Package + "." + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(v.out, e.Output)
	case "output":
		v.outputs[name] = append(v.outputs[name], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			v.endPackage(e)
		} else {
			v.endTest(e, name)
		}
		delete(v.outputs, name)
	}
}

func (v *viewer) endTest(e event, name string) {
	v.seen[e.Package]++
	switch e.Action {
	case "pass":
		v.count.Passed = append(v.count.Passed, name)
	case "skip":
		v.count.Skipped[name] = reason(v.outputs[name])
	case "fail":
		v.count.Failed = append(v.count.Failed, name)
		if v.failed == nil {
			v.failed = map[string]bool{}
		}
		v.failed[e.Package] = true
		fmt.Fprintf(v.out, "FAIL  %s (%.1f s)\n%s", name, e.Elapsed, strings.Join(v.outputs[name], ""))
	}
}

func (v *viewer) endPackage(e event) {
	if e.Action == "fail" && !v.failed[e.Package] { // it did not build, or ended before a test could fail
		v.count.Failed = append(v.count.Failed, e.Package)
	}
	for _, name := range slices.Sorted(maps.Keys(v.outputs)) { // of the package itself, and of tests that never ended
		if !strings.HasPrefix(name, e.Package+".") {
			continue
		}
		if e.Action == "fail" {
			fmt.Fprint(v.out, strings.Join(v.outputs[name], ""))
		}
		delete(v.outputs, name)
	}
	if e.Action != "skip" {
		fmt.Fprintf(v.out, "%-5s %s: %d tests in %.1f s\n", e.Action, e.Package, v.seen[e.Package], e.Elapsed)
	}
}

// reason is the last thing a test said before it was skipped.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return line
		}
	}
	return "no reason given"
}

func appendTo(name string, c count) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(c); err != nil {
		return err
	}
	return f.Close()
}

func addUp(out io.Writer, name, allow string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	allowed, err := readAllowed(allow)
	if err != nil {
		return err
	}
	passed, failed := 0, 0
	ran, skipped := map[string]bool{}, map[string]string{}
	for dec := json.NewDecoder(f); ; {
		var c count
		if err := dec.Decode(&c); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		passed, failed = passed+len(c.Passed), failed+len(c.Failed)
		for _, test := range append(c.Passed, c.Failed...) {
			ran[test] = true
		}
		maps.Copy(skipped, c.Skipped)
	}
	for _, test := range slices.Sorted(maps.Keys(skipped)) {
		switch why := allowed[short(test)]; {
		case ran[test]:
		case why != "":
			fmt.Fprintf(out, "skipped on purpose: %s: %s\n", test, why)
		default:
			failed++
			fmt.Fprintf(out, "SKIPPED EVERYWHERE: %s: %s\n", test, skipped[test])
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return fmt.Errorf("%d tests failed or never ran", failed)
	}
	return nil
}

func readAllowed(name string) (map[string]string, error) {
	allowed := map[string]string{}
	if name == "" {
		return allowed, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if test, why, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(test, "#") {
			allowed[test] = why
		}
	}
	return allowed, nil
}

// short is package.Test with the last element of the package alone, and without subtests.
func short(test string) string {
	head, sub, _ := strings.Cut(test, ".Test")
	root, _, _ := strings.Cut(sub, "/")
	return path.Base(head) + ".Test" + root
}
