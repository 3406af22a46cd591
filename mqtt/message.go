package mqtt

import "github.com/edge-agent/edge-agent/mesh"

// Message is one application message as it came from the broker. Topic and Payload belong to the receiver.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
	// Dup marks a possible repeat; with Connection and Packet it recognises the twin of a message without identity.
	Dup    bool
	Packet uint16
	// Connection counts the connections of this client, from 1.
	Connection uint64
	// Ack lets the broker forget the message; nil for QoS 0. It never blocks and may be called from any goroutine, once.
	// After its connection is gone it does nothing: the broker sends the message again.
	Ack Acknowledger
}

// Acknowledger confirms one message to the broker.
type Acknowledger interface{ Ack() }

// Subscription asks the broker for the messages of a topic filter.
type Subscription struct {
	Filter string
	QoS    byte
}

// Cursor is the place of a row in the outbox: the position of the output and the place of the row among its sends.
type Cursor struct {
	Position mesh.Position
	Index    uint16
}

// Less orders rows by age.
func (c Cursor) Less(d Cursor) bool {
	return c.Position < d.Position || c.Position == d.Position && c.Index < d.Index
}

// Row is one output on its way to the broker.
type Row struct {
	At          Cursor
	Daemon      mesh.DaemonID
	Epoch       uint64
	Incarnation uint32
	Link        mesh.Link
	Payload     []byte
	// Time is the wall clock of the output in Unix nanoseconds.
	Time int64
	Send mesh.Send
}

// Outbox is where durable outputs wait for the broker. The client calls it from one goroutine at a time.
type Outbox interface {
	// Next returns up to limit rows after the cursor, oldest first; fewer mean that there are no more. The rows and their
	// payloads stay valid until they are given to Done.
	Next(after Cursor, limit int) ([]Row, error)
	// Done says that the broker has these rows: they may be deleted. It does not block.
	Done(rows []Cursor)
}
