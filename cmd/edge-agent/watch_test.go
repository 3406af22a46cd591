package main

import (
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

func TestScreenShowsWhatHoldsNow(t *testing.T) {
	var out strings.Builder
	w := &watch{view: newFleetView("plant"), screen: &screen{out: &out}}
	say := func(about string, doc order.Document) {
		t.Helper()
		text, err := order.Encode(doc)
		if err != nil {
			t.Fatal(err)
		}
		w.take(mqtt.Message{Topic: "edge/v1/plant/n/pi-1/" + about, Payload: text})
	}
	presence := &order.Presence{Node: "pi-1", Instance: strings.Repeat("0", 32), State: order.Init}
	say("pres", presence)
	presence.State = order.Ready
	say("pres", presence)
	say("pres", presence)
	say("hb", &order.Heartbeat{Health: order.Health{Level: order.Healthy}})
	stats := map[string]uint64{"events": 17}
	say("rep/mean", &order.Report{Generation: 3, State: order.Running, Kind: "ewma", Stats: stats})
	if err := w.screen.draw(w.view); err != nil {
		t.Fatal(err)
	}
	shown := out.String()
	for _, want := range []string{"pi-1  ready        1        1", "mean    pi-1  ewma  running", " 17 ",
		"pres init", "pres ready", "rep  ewma running, generation 3"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the screen lacks %q:\n%s", want, shown)
		}
	}
	if strings.Count(shown, "pres ready") != 1 || strings.Contains(shown, "hb") {
		t.Errorf("the screen repeats what did not change, or shows heartbeats:\n%s", shown)
	}
	out.Reset()
	if err := w.screen.draw(w.view); err != nil || out.Len() > 0 {
		t.Errorf("nothing is new, and yet it draws: %v", err)
	}
}
