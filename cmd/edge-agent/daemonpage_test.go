package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mesh/meshtest"
)

var daemonExample = regexp.MustCompile("(?s)```text ([a-z]+)\nconfig ([^\n]*)\n(.*?)```")

// TestDaemonPageShowsWhatDaemonsDo plays the examples of docs/daemons.md, of which every kind has one.
func TestDaemonPageShowsWhatDaemonsDo(t *testing.T) {
	page, err := os.ReadFile("../../docs/daemons.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	for _, example := range daemonExample.FindAllStringSubmatch(string(page), -1) {
		name, config, lines := example[1], example[2], example[3]
		shown[name]++
		kind, err := kindNamed(name)
		if err != nil {
			t.Error(err)
			continue
		}
		daemon, err := kind.New([]byte(config), mesh.Env{ID: mesh.DaemonID(name)})
		if err != nil {
			t.Errorf("%s %s: %v", name, config, err)
			continue
		}
		if got := played(t, daemon, lines); got != lines {
			t.Errorf("%s %s\ngot:\n%swant:\n%s", name, config, got, lines)
		}
	}
	for _, kind := range kinds() {
		if shown[kind.Name] == 0 {
			t.Errorf("docs/daemons.md shows no %s", kind.Name)
		}
	}
}

// played gives the lines again, with what the daemon really emitted.
func played(t *testing.T, daemon mesh.Daemon, lines string) string {
	t.Helper()
	var payloads []string
	for line := range strings.Lines(lines) {
		if payload, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "in     "); ok {
			payloads = append(payloads, payload)
		}
	}
	got := ""
	for _, ev := range meshtest.Messages("press-1", payloads...) {
		var out mesh.Outputs
		got += "in     " + string(ev.Payload) + "\n"
		if err := daemon.Process(&ev, &out); err != nil {
			t.Errorf("%s: %v", ev.Payload, err)
		}
		for i := range out.Len() {
			got += "out    " + string(out.Payload(i)) + "\n"
		}
	}
	return got
}
