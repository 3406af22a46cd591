package order_test

import (
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

func TestTopicsOfAFleet(t *testing.T) {
	f := order.Fleet("plant")
	for want, got := range map[string]string{
		"edge/v1/plant/n/pi-1/pres":     f.Presence("pi-1"),
		"edge/v1/plant/n/pi-1/caps":     f.Caps("pi-1"),
		"edge/v1/plant/n/pi-1/rep/mean": f.Report("pi-1", "mean"),
		"edge/v1/plant/n/pi-1/rep/+":    f.AllReports("pi-1"),
		"edge/v1/plant/n/pi-1/hb":       f.Heartbeat("pi-1"),
		"edge/v1/plant/n/pi-1/ack":      f.Ack("pi-1"),
		"edge/v1/plant/n/pi-1/life":     f.Lifecycle("pi-1"),
		"edge/v1/plant/d/pi-1/des/mean": f.Assigned("pi-1", "mean"),
		"edge/v1/plant/d/pi-1/des/+":    f.AllAssigned("pi-1"),
		"edge/v1/plant/d/pi-1/ctl":      f.Commands("pi-1"),
		"edge/v1/plant/e/mean/in/x":     f.Input("mean", "x"),
		"edge/v1/plant/o/mean/x":        f.Output("mean", "x"),
		"edge/v1/plant/o/mean/+":        f.Outputs("mean"),
		"edge/v1/plant/o/mean/_gap":     f.Gaps("mean"),
		"edge/v1/plant/o/mean/out":      f.Absolute("o/mean/out"),
		"plant/alarm":                   f.Absolute("plant/alarm"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := order.CheckFilter(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestTopicOfANodeIsTakenApart(t *testing.T) {
	f := order.Fleet("plant")
	tests := []struct {
		topic string
		node  mesh.NodeID
		about string
		ok    bool
	}{
		{"edge/v1/plant/n/pi-1/pres", "pi-1", "pres", true},
		{"edge/v1/plant/n/pi-1/rep/mean", "pi-1", "rep/mean", true},
		{"edge/v1/plant/n/pi-1", "", "", false},
		{"edge/v1/plant/d/pi-1/ctl", "", "", false},
		{"edge/v1/office/n/pi-1/pres", "", "", false},
	}
	for _, test := range tests {
		node, about, ok := f.OfNode(test.topic)
		if ok != test.ok || ok && (node != test.node || about != test.about) {
			t.Errorf("%s: got %s, %s, %v", test.topic, node, about, ok)
		}
	}
}
