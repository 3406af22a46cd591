package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestDemoStartsAtOnceAndGoesOnWhereItWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	demo := func() string {
		command := exec.Command("edge-agent", "demo", "--listen", "127.0.0.1:0", "--state-dir", dir)
		out := &syncBuffer{}
		command.Stdout, command.Stderr = out, out
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		await(t, "the pipeline to speak", func() bool { return regexp.MustCompile(` ewma +\d+ `).MatchString(out.String()) },
			out.String)
		command.Process.Signal(syscall.SIGINT)
		if err := <-ended; err != nil {
			t.Fatalf("the demo ended with %v\n%s", err, out.String())
		}
		return out.String()
	}
	first := demo()
	for _, want := range []string{"hardware.cpu_threads=", "/proc/meminfo", "begins", "Try in another terminal", "stopped."} {
		if !strings.Contains(first, want) {
			t.Errorf("the demo does not show %q:\n%s", want, first)
		}
	}
	second := demo()
	if !regexp.MustCompile(`sensor .*goes on after output [1-9]`).MatchString(second) || !strings.Contains(second, "Resumed") {
		t.Errorf("the second demo does not go on:\n%s", second)
	}
}
