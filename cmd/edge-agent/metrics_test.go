package main

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

var (
	metricName  = regexp.MustCompile(`(?m)^edge_agent_[a-z0-9_]+`)
	metricShown = regexp.MustCompile("`(edge_agent_[a-z0-9_]+)`")
)

// TestOperationsPageListsEveryMetric holds the page against what a running agent counts, both ways.
func TestOperationsPageListsEveryMetric(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, "edge-agent", "--config", writeConfig(t, "daemons: {beat: {kind: counter, inputs: [{every: 1s}]}}\n")).start()
	var text string
	r.until("the daemon's metrics", func() bool {
		return r.get("/metrics", &text) == nil && regexp.MustCompile(`edge_agent_daemon_events_total.* [1-9]`).MatchString(text)
	})
	counted := metricName.FindAllString(text, -1)
	counted = append(counted, "edge_agent_daemon_errors_total") // not before the first
	var listed []string
	for _, match := range metricShown.FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, match[1])
		if !slices.Contains(counted, match[1]) {
			t.Errorf("the page lists %s, which is not counted", match[1])
		}
	}
	for _, name := range slices.Compact(counted) {
		if !slices.Contains(listed, name) {
			t.Errorf("the page does not list %s", name)
		}
	}
}
