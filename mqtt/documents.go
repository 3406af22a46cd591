package mqtt

import (
	"fmt"
	"slices"
	"sync"
)

// Bounds of what waits to be published.
const (
	maxPayload       = 128 << 10
	maxDocuments     = 4096
	maxDocumentBytes = 16 << 20
	maxOnce          = 1024
)

// document is one control message on its way to the broker.
type document struct {
	topic    string
	qos      byte
	retained bool
	payload  []byte
	version  uint64 // raised with each new payload
	queued   bool   // waits in ready
}

// documents are the control messages of a node: retained ones, the latest per topic and sent on every connection, and
// others, sent once.
type documents struct {
	wake chan struct{}

	mu    sync.Mutex
	kept  map[string]*document
	order []*document // of kept, by first publication
	once  []*document // QoS 1, not retained, until confirmed
	ready []*document // what this connection must still send
	bytes int
	open  bool
}

// put takes a document; it fails when too many wait.
func (d *documents) put(topic string, qos byte, retained bool, payload []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.kept[topic]
	if !retained {
		old = nil
	}
	grow := len(payload)
	if old != nil {
		grow -= len(old.payload)
	}
	switch {
	case len(payload) > maxPayload:
		return fmt.Errorf("publish %d bytes on %s: above %d", len(payload), topic, maxPayload)
	case d.bytes+grow > maxDocumentBytes, retained && old == nil && len(d.kept) >= maxDocuments,
		!retained && len(d.once) >= maxOnce:
		return fmt.Errorf("publish on %s: too many documents wait for the broker", topic)
	}
	switch {
	case retained:
		if old == nil {
			old = &document{topic: topic, retained: true}
			d.kept[topic] = old
			d.order = append(d.order, old)
		}
		old.qos, old.payload = qos, payload
		old.version++
		d.bytes += grow
		d.queue(old)
	case qos > 0:
		doc := &document{topic: topic, qos: qos, payload: payload}
		d.once = append(d.once, doc)
		d.bytes += grow
		d.queue(doc)
	case d.open && len(d.ready) < maxDocuments:
		d.queue(&document{topic: topic, payload: payload})
	default:
		return fmt.Errorf("publish on %s at QoS 0: %w", topic, errOffline)
	}
	return nil
}

func (d *documents) queue(doc *document) {
	if d.open && !doc.queued {
		doc.queued = true
		d.ready = append(d.ready, doc)
		signal(d.wake)
	}
}

// connected makes everything ready again, in the order of its first publication.
func (d *documents) connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open, d.ready = true, d.ready[:0]
	for _, doc := range d.order {
		doc.queued = false
		d.queue(doc)
	}
	for _, doc := range d.once {
		doc.queued = false
		d.queue(doc)
	}
}

func (d *documents) disconnected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open, d.ready = false, nil
}

// next takes the oldest document that is ready.
func (d *documents) next() (flight, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ready) == 0 {
		return flight{}, false
	}
	doc := d.ready[0]
	d.ready = d.ready[1:]
	doc.queued = false
	return flight{
		topic: doc.topic, qos: doc.qos, retained: doc.retained, payload: doc.payload, origin: doc, version: doc.version,
	}, true
}

// confirmed forgets what need not be sent again.
func (d *documents) confirmed(f *flight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case f.retained && len(f.payload) == 0 && f.version == f.origin.version && d.kept[f.topic] == f.origin:
		delete(d.kept, f.topic)
		d.order = slices.DeleteFunc(d.order, func(o *document) bool { return o == f.origin })
	case !f.retained:
		if i := slices.Index(d.once, f.origin); i >= 0 {
			d.once = slices.Delete(d.once, i, i+1)
			d.bytes -= len(f.payload)
		}
	}
}

// empty reports whether this connection has nothing more to send.
func (d *documents) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ready) == 0
}
