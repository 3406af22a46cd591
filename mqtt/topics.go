package mqtt

import (
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// Topics names what a node of a fleet publishes and subscribes to. n/ is written by the node alone, d/ by those who
// give orders, e/ holds inputs addressed to a daemon wherever it runs, o/ outputs.
type Topics struct {
	root string
	node string
}

// NewTopics names the topics of one node.
func NewTopics(fleet string, node mesh.NodeID) Topics {
	return Topics{root: "edge/v1/" + fleet, node: string(node)}
}

// Root is the prefix of the fleet.
func (t Topics) Root() string { return t.root }

// Presence is retained, and the will: what the node is doing.
func (t Topics) Presence() string { return t.root + "/n/" + t.node + "/pres" }

// Caps is retained: what the node has.
func (t Topics) Caps() string { return t.root + "/n/" + t.node + "/caps" }

// Heartbeat is published at QoS 0.
func (t Topics) Heartbeat() string { return t.root + "/n/" + t.node + "/hb" }

// Report is retained: how one daemon is.
func (t Topics) Report(id mesh.DaemonID) string {
	return t.root + "/n/" + t.node + "/rep/" + string(id)
}

// Reports is the filter for all reports of the node.
func (t Topics) Reports() string { return t.root + "/n/" + t.node + "/rep/+" }

// Ack answers commands.
func (t Topics) Ack() string { return t.root + "/n/" + t.node + "/ack" }

// Assignment is retained: the order about one daemon.
func (t Topics) Assignment(id mesh.DaemonID) string {
	return t.root + "/d/" + t.node + "/des/" + string(id)
}

// Assignments is the filter for all orders to the node, to be subscribed to at QoS 0: outside the broker's window of
// unacknowledged messages, which inputs may fill.
func (t Topics) Assignments() string { return t.root + "/d/" + t.node + "/des/+" }

// Assigned returns the daemon that an order is about.
func (t Topics) Assigned(topic string) (mesh.DaemonID, bool) {
	name, ok := strings.CutPrefix(topic, t.root+"/d/"+t.node+"/des/")
	if !ok {
		return "", false
	}
	id, err := mesh.ParseDaemonID(name)
	return id, err == nil
}

// Commands is where commands to the node arrive, to be subscribed to at QoS 0 too.
func (t Topics) Commands() string { return t.root + "/d/" + t.node + "/ctl" }

// Input is the topic of one kind of input to a daemon.
func (t Topics) Input(id mesh.DaemonID, kind string) string {
	return t.root + "/e/" + string(id) + "/in/" + kind
}

// Inputs is the filter for all inputs addressed to a daemon.
func (t Topics) Inputs(id mesh.DaemonID) string { return t.Input(id, "+") }

// Output is the topic of one kind of output of a daemon.
func (t Topics) Output(id mesh.DaemonID, kind string) string {
	return t.root + "/o/" + string(id) + "/" + kind
}

// Outputs is the filter for all outputs of a daemon.
func (t Topics) Outputs(id mesh.DaemonID) string { return t.Output(id, "+") }
