package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

const (
	// NodeBucket keeps small documents about the node itself.
	NodeBucket = "node"
	// BootKey counts the starts; it is kept above what another instance of this node was seen to have counted.
	BootKey = "boot"
	capsKey = "caps"
)

// presence is what the node says of itself, and what the broker says once it is lost. It is read by the connection.
type presence struct {
	mu  sync.Mutex
	doc order.Presence
}

func (p *presence) set(state order.Life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doc.State = state
}

func (p *presence) change(f func(*order.Presence)) order.Presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.doc)
	return p.doc
}

// Will is what the broker is to publish when it loses this node. It is asked anew for each attempt to connect.
func (a *Agent) Will() (topic string, payload []byte) {
	doc := a.life.change(func(p *order.Presence) { p.Attempt++ })
	doc.State = order.Down
	payload, err := order.Encode(&doc)
	if err != nil {
		a.o.Log.Error("the will cannot be written", "error", err)
	}
	return a.topics.Presence(a.o.Identity.Node), payload
}

// Connected says that a connection was made: the node announces itself on it.
func (a *Agent) Connected() {
	a.mail.put(Document{Topic: a.topics.Presence(a.o.Identity.Node), Retained: true}, true)
}

// announce says all that is retained about the node.
func (k *keeper) announce() {
	k.life.change(func(p *order.Presence) {
		p.Node, p.Boot, p.Instance, p.State = k.o.Identity.Node, k.o.Boot, k.o.Identity.Instance, order.Init
	})
	k.announceCaps()
}

func (k *keeper) announcePresence() {
	doc := k.life.change(func(p *order.Presence) { p.Time = k.wall() })
	k.publishDocument(k.topics.Presence(k.o.Identity.Node), 1, true, &doc)
}

// announceCaps publishes what the node is under a new revision, unless nothing has changed since the last.
func (k *keeper) announceCaps() {
	doc := &order.Caps{
		Node: k.o.Identity.Node, Version: k.o.Version, Evidence: k.caps.Evidence,
		Limits: map[string]uint64{"daemons": MaxDaemons, "payload_bytes": mesh.MaxPayload},
	}
	doc.Tags, doc.Metadata = k.caps.Set.Tags(), k.caps.Set.Metadata()
	for _, kind := range k.o.Kinds {
		doc.Kinds = append(doc.Kinds, order.KindOf(kind))
	}
	digest, err := digestOf(doc)
	if err != nil {
		k.o.Log.Error("the caps document cannot be written", "error", err)
		return
	}
	revision, err := k.reviseCaps(digest)
	if err != nil {
		k.o.Log.Error("keeping the revision of the caps document", "error", err)
	}
	doc.Revision, doc.Time = revision, k.wall()
	k.life.change(func(p *order.Presence) { p.Caps = digest })
	k.publishDocument(k.topics.Caps(k.o.Identity.Node), 1, true, doc)
	k.announcePresence()
}

func digestOf(doc order.Document) (string, error) {
	data, err := order.Encode(doc)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16]), nil
}

// reviseCaps gives the revision of a caps document, one more than the last unless the digest is the same.
func (k *keeper) reviseCaps(digest string) (uint64, error) {
	type revision struct {
		Revision uint64
		Digest   string
	}
	var last revision
	if value, ok, err := k.o.Store.Get(NodeBucket, capsKey); err != nil {
		return k.revised + 1, err
	} else if ok {
		if err := json.Unmarshal(value, &last); err != nil {
			k.o.Log.Error("the kept revision of the caps document cannot be read", "error", err)
		}
	}
	k.revised = max(k.revised, last.Revision)
	if last.Digest == digest && k.revised > 0 {
		return k.revised, nil
	}
	k.revised++
	data, err := json.Marshal(revision{k.revised, digest})
	if err != nil {
		return k.revised, err
	}
	return k.revised, k.o.Store.Put(NodeBucket, capsKey, data)
}

// live changes the state of the node.
func (k *keeper) live(state order.Life) {
	k.life.set(state)
	k.announcePresence()
}

// meetSelf reads what the broker says of this node. A restored or wiped node counts on from what it was; another one
// that lives under the same name with a later start is left the place; anything older is corrected.
func (k *keeper) meetSelf(d Document) {
	if len(d.Payload) == 0 {
		k.announcePresence()
		return
	}
	var seen order.Presence
	if err := order.Parse(d.Payload, &seen); err != nil {
		k.announcePresence()
		return
	}
	own := k.life.change(func(*order.Presence) {})
	switch {
	case seen.Instance == own.Instance &&
		(seen.State == own.State || seen.Attempt < own.Attempt && seen.State != order.Down):
	case seen.Instance == own.Instance:
		k.announcePresence()
	case d.Retained && seen.Boot >= own.Boot:
		k.outlive(seen.Boot)
	case !d.Retained && seen.Boot > own.Boot && (seen.State == order.Init || seen.State == order.Ready):
		k.o.Log.Error("another node lives under this node's name; this one stops its daemons",
			"node", own.Node, "instance", seen.Instance, "boot", seen.Boot)
		k.yield(fmt.Sprintf("another instance of node %s started later", own.Node))
	default:
		k.announcePresence()
	}
}

// outlive counts this start above one that was seen, durably.
func (k *keeper) outlive(boot uint64) {
	next, err := k.o.Store.Increment(NodeBucket, BootKey, boot)
	if err != nil {
		k.o.Log.Error("keeping the number of this start", "error", err)
		return
	}
	k.life.change(func(p *order.Presence) { p.Boot = next })
	k.announcePresence()
}

// yield stops every daemon for this run, because another node has this node's name.
func (k *keeper) yield(reason string) {
	for _, d := range k.daemons {
		if d.want.State == order.Run {
			d.want.State, d.reason = order.Stop, reason
		}
		k.changed[d.id] = true
	}
}

// listen asks the broker for what the node and its daemons need.
func (k *keeper) listen() {
	node := k.o.Identity.Node
	k.o.Bus.Subscribe("node",
		Subscription{Filter: k.topics.AllAssigned(node)}, Subscription{Filter: k.topics.Commands(node)},
		Subscription{Filter: k.topics.Presence(node), QoS: 1})
	local := func(id mesh.DaemonID) bool { d := k.daemons[id]; return d != nil && d.hosted }
	observing := false
	for _, d := range k.daemons {
		var subs []Subscription
		if d.hosted {
			subs = k.subscriptions(d.spec, local)
			observing = observing || slices.ContainsFunc(d.spec.Inputs, func(in order.Input) bool { return in.Source.Machine })
		}
		k.o.Bus.Subscribe("daemon "+string(d.id), subs...)
	}
	k.observing.Store(observing)
}
