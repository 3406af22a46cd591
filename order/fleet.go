package order

import (
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// Fleet names the topics of one fleet: edge/v1/FLEET and all below it.
type Fleet string

// Root is the topic above all others of the fleet.
func (f Fleet) Root() string { return "edge/v1/" + string(f) }

// The retained documents of a node.
func (f Fleet) Presence(n mesh.NodeID) string { return f.node(n) + "pres" }
func (f Fleet) Caps(n mesh.NodeID) string     { return f.node(n) + "caps" }
func (f Fleet) Report(n mesh.NodeID, d mesh.DaemonID) string {
	return f.node(n) + "rep/" + string(d)
}

// What a node tells as it happens.
func (f Fleet) Heartbeat(n mesh.NodeID) string { return f.node(n) + "hb" }
func (f Fleet) Ack(n mesh.NodeID) string       { return f.node(n) + "ack" }
func (f Fleet) Lifecycle(n mesh.NodeID) string { return f.node(n) + "life" }

// What a node is told. Assigned is the order about one daemon, Commands asks for something once.
func (f Fleet) Assigned(n mesh.NodeID, d mesh.DaemonID) string {
	return f.Root() + "/d/" + string(n) + "/des/" + string(d)
}
func (f Fleet) Commands(n mesh.NodeID) string { return f.Root() + "/d/" + string(n) + "/ctl" }

// Every node's, or every daemon's: filters.
func (f Fleet) AllAssigned(n mesh.NodeID) string { return f.Assigned(n, "+") }
func (f Fleet) AllReports(n mesh.NodeID) string  { return f.Report(n, "+") }

// Output is where a daemon's outputs of one type go, Outputs the filter of all its types, Gaps where those are named
// that will never come.
func (f Fleet) Output(d mesh.DaemonID, kind string) string {
	return f.Root() + "/o/" + string(d) + "/" + kind
}
func (f Fleet) Outputs(d mesh.DaemonID) string { return f.Output(d, "+") }
func (f Fleet) Gaps(d mesh.DaemonID) string    { return f.Output(d, "_gap") }

// Input is where anyone may send a daemon an event, wherever it runs.
func (f Fleet) Input(d mesh.DaemonID, kind string) string {
	return f.Root() + "/e/" + string(d) + "/in/" + kind
}

// OfNode tells what one of a node's topics is about: the node, and what stands behind its name, such as rep/mean.
func (f Fleet) OfNode(topic string) (n mesh.NodeID, about string, ok bool) {
	rest, ok := strings.CutPrefix(topic, f.Root()+"/n/")
	name, about, found := strings.Cut(rest, "/")
	return mesh.NodeID(name), about, ok && found
}

// Absolute puts the root before a topic of the fleet's own that was written without it: o/… and e/….
func (f Fleet) Absolute(topic string) string {
	if strings.HasPrefix(topic, "o/") || strings.HasPrefix(topic, "e/") {
		return f.Root() + "/" + topic
	}
	return topic
}

func (f Fleet) node(n mesh.NodeID) string { return f.Root() + "/n/" + string(n) + "/" }
