package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/order"
)

var publication = regexp.MustCompile(`(?s)mosquitto_pub (-r )?-q 1 -t (\S+) -m '(.*?)'`)

// TestSessionOfTheWirePage publishes what docs/wire.md tells a person to, and hears what it promises.
func TestSessionOfTheWirePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	said := publication.FindAllStringSubmatch(string(page), -1)
	if len(said) != 4 {
		t.Fatalf("the page publishes %d messages, want an order, two readings and a wrong order", len(said))
	}
	r := newRig(t, "edge-agent").start()
	topics := strings.NewReplacer("edge/v1/default", r.fleet.Root(), "pi-1", string(r.node))
	say := func(i int) {
		t.Helper()
		r.peer.publish(topics.Replace(said[i][2]), 1, said[i][1] != "", said[i][3])
	}
	r.peer.client.Subscribe("plant/alarm", 1, nil).Wait()
	say(0)
	r.report("hot", "running", func(p order.Report) bool { return p.State == order.Running })
	say(1)
	say(2)
	r.until("an alarm", func() bool {
		alarm := r.peer.last("plant/alarm")
		return strings.Contains(alarm, `"alarm":"raised"`) && strings.Contains(alarm, "86.5")
	})
	say(3)
	r.report("hot", "a refusal", func(p order.Report) bool {
		return p.State == order.Running && p.Refused == order.Invalid && p.Asked == 2 && len(p.Mistakes) > 0
	})
}

func TestReportNamesWhatTheNodeDoesNotKnow(t *testing.T) {
	r := newRig(t, "edge-agent").start()
	r.assign("sum", `{"v":1,"generation":1,"state":"run","hue":2,"spec":{"kind":"counter","inputs":[{"topic":"a","tint":1}]}}`)
	r.report("sum", "unknown fields", func(p order.Report) bool {
		return p.State == order.Running && slices.Equal(p.Ignored, []string{"hue", "spec.inputs[0].tint"})
	})
}
