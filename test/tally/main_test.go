package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestViewerCountsTestsAndShowsWhatFailed(t *testing.T) {
	var out bytes.Buffer
	v := &viewer{out: &out, outputs: map[string][]string{}, seen: map[string]int{}}
	v.count.Skipped = map[string]string{}
	err := v.read(strings.NewReader(`{"Action":"build-output","Output":"x.go:1: oops\n"}
{"Action":"output","Package":"m/a","Test":"TestA/s","Output":"    a_test.go:3: needs the moon\n"}
{"Action":"output","Package":"m/a","Test":"TestA/s","Output":"--- SKIP: TestA/s (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestA/s"}
{"Action":"pass","Package":"m/a","Test":"TestA"}
{"Action":"output","Package":"m/a","Test":"TestB","Output":"got 1; want 2\n"}
{"Action":"fail","Package":"m/a","Test":"TestB"}
{"Action":"fail","Package":"m/a"}
{"Action":"output","Package":"m/b","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"m/b"}
{"Action":"skip","Package":"m/none"}
`))
	if err != nil {
		t.Fatal(err)
	}
	why := v.count.Skipped["m/a.TestA/s"]
	if len(v.count.Passed) != 1 || len(v.count.Failed) != 2 || why != "a_test.go:3: needs the moon" {
		t.Errorf("count = %+v; want 1 passed, m/a.TestB and m/b failed, 1 skipped", v.count)
	}
	for _, want := range []string{"x.go:1: oops", "got 1; want 2", "panic: test timed out", "fail  m/a: 3 tests"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestATestSkippedEverywhereFails(t *testing.T) {
	for name, c := range map[string]struct{ runs, allow, want string }{
		"run elsewhere": {
			runs: `{"passed":["m.TestA"],"skipped":{"m.TestB":"no broker"}}{"passed":["m.TestB"]}`, want: "2 passed, 0 failed",
		},
		"never run": {runs: `{"skipped":{"m/p.TestB":"no broker"}}`, want: "0 passed, 1 failed"},
		"allowed":   {runs: `{"skipped":{"m/p.TestB/x":"no GPU"}}`, allow: "p.TestB no such card", want: "0 passed, 0 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			runs, allow := filepath.Join(dir, "runs"), filepath.Join(dir, "allow")
			for file, text := range map[string]string{runs: c.runs, allow: c.allow} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			err := addUp(&out, runs, allow)
			if !strings.Contains(out.String(), c.want) || (err == nil) != strings.HasSuffix(c.want, " 0 failed") {
				t.Errorf("printed %q, error %v; want %q", out.String(), err, c.want)
			}
		})
	}
}
