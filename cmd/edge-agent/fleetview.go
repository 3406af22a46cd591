package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// fleetView is what the documents of a fleet say, the newest of each.
type fleetView struct {
	fleet  order.Fleet
	nodes  map[mesh.NodeID]*nodeView
	orders map[mesh.NodeID]map[mesh.DaemonID]order.Assignment
}

// nodeView is what one node says of itself.
type nodeView struct {
	Node      mesh.NodeID                     `json:"node"`
	Presence  *order.Presence                 `json:"presence,omitempty"`
	Caps      *order.Caps                     `json:"caps,omitempty"`
	Heartbeat *order.Heartbeat                `json:"heartbeat,omitempty"`
	Reports   map[mesh.DaemonID]*order.Report `json:"reports,omitempty"`
}

func newFleetView(fleet order.Fleet) *fleetView {
	return &fleetView{
		fleet: fleet, nodes: map[mesh.NodeID]*nodeView{}, orders: map[mesh.NodeID]map[mesh.DaemonID]order.Assignment{},
	}
}

// change is one thing that was said.
type change struct {
	Node   mesh.NodeID   `json:"node"`
	Daemon mesh.DaemonID `json:"daemon,omitempty"`
	About  string        `json:"about"`
	Text   string        `json:"text"`
	Body   any           `json:"document,omitempty"` // an order.Document
}

// take reads one message; ok is false where it says nothing new.
func (v *fleetView) take(m mqtt.Message) (c change, ok bool) {
	node, about, ok := v.fleet.OfNode(m.Topic)
	if !ok {
		v.takeOrder(m)
		return change{}, false
	}
	what, daemon, _ := strings.Cut(about, "/")
	c = change{Node: node, Daemon: mesh.DaemonID(daemon), About: what}
	n := v.nodes[node]
	if n == nil {
		n = &nodeView{Node: node, Reports: map[mesh.DaemonID]*order.Report{}}
		v.nodes[node] = n
	}
	if len(m.Payload) == 0 {
		n.forget(c)
		c.Text = "forgotten"
		return c, true
	}
	var err error
	if c.Text, c.Body, err = n.read(c, m.Payload); err != nil {
		c.Text = "cannot be read: " + err.Error()
	}
	return c, c.Text != ""
}

func (n *nodeView) forget(c change) {
	switch c.About {
	case "pres":
		n.Presence = nil
	case "caps":
		n.Caps = nil
	case "rep":
		delete(n.Reports, c.Daemon)
	}
}

// document makes room for what one of a node's topics carries, nil for one that is not known.
func document(about string) order.Document {
	switch about {
	case "pres":
		return &order.Presence{}
	case "caps":
		return &order.Caps{}
	case "hb":
		return &order.Heartbeat{}
	case "rep":
		return &order.Report{}
	case "life":
		return &order.Lifecycle{}
	case "ack":
		return &order.Ack{}
	}
	return nil
}

// read takes a document in and says it in words, empty where nothing changed.
func (n *nodeView) read(c change, payload []byte) (text string, body order.Document, err error) {
	body = document(c.About)
	if body == nil {
		return "", nil, nil
	}
	if err := order.Parse(payload, body); err != nil {
		return "", nil, err
	}
	switch d := body.(type) {
	case *order.Presence:
		if n.Presence == nil || n.Presence.State != d.State || n.Presence.Instance != d.Instance {
			text = string(d.State)
		}
		n.Presence = d
	case *order.Caps:
		n.Caps, text = d, fmt.Sprintf("revision %d with %d tags", d.Revision, len(d.Tags))
	case *order.Heartbeat:
		n.Heartbeat = d
		text = fmt.Sprintf("%s, saturation %.2f, outbox %d", d.Health.Level, d.Saturation, d.Outbox.Rows)
	case *order.Report:
		if before := n.Reports[c.Daemon]; before == nil || reportWords(before) != reportWords(d) {
			text = reportWords(d)
		}
		n.Reports[c.Daemon] = d
	case *order.Lifecycle:
		text = lifeWords(d)
	case *order.Ack:
		text = strings.TrimSpace(fmt.Sprintf("command %s %s %s", d.ID, d.State, d.Reason))
	}
	return text, body, nil
}

func (v *fleetView) takeOrder(m mqtt.Message) {
	rest, ok := strings.CutPrefix(m.Topic, v.fleet.Root()+"/d/")
	node, about, _ := strings.Cut(rest, "/")
	daemon, isOrder := strings.CutPrefix(about, "des/")
	var a order.Assignment
	if !ok || !isOrder || order.Parse(m.Payload, &a) != nil {
		return
	}
	if v.orders[mesh.NodeID(node)] == nil {
		v.orders[mesh.NodeID(node)] = map[mesh.DaemonID]order.Assignment{}
	}
	v.orders[mesh.NodeID(node)][mesh.DaemonID(daemon)] = a
}

// sorted are the nodes in the order of their names.
func (v *fleetView) sorted() []*nodeView {
	nodes := make([]*nodeView, 0, len(v.nodes))
	for _, name := range slices.Sorted(maps.Keys(v.nodes)) {
		nodes = append(nodes, v.nodes[name])
	}
	return nodes
}

// reportWords says a report in one line.
func reportWords(r *order.Report) string {
	words := []string{string(r.State), fmt.Sprintf("generation %d", r.Generation)}
	if r.Kind != "" {
		words[0] = r.Kind + " " + words[0]
	}
	if r.Refused != "" {
		words = append(words, "refused generation "+fmt.Sprint(r.Asked)+": "+string(r.Refused))
	}
	if h := r.Health; h != nil && h.Level != order.Healthy {
		words = append(words, strings.TrimSpace(string(h.Level)+" "+h.Reason))
	}
	if r.Error != "" {
		words = append(words, r.Error)
	}
	return strings.Join(words, ", ")
}

func lifeWords(l *order.Lifecycle) string {
	switch {
	case l.Event == order.HealthChanged && l.Health != nil:
		return strings.TrimSpace("health " + string(l.Health.Level) + " " + l.Health.Reason)
	case l.Event == order.SaturationChanged:
		return fmt.Sprintf("saturation %.2f", l.Saturation)
	case l.Reason != "":
		return string(l.Event) + ": " + l.Reason
	}
	return string(l.Event)
}
