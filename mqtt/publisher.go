package mqtt

import (
	"errors"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/edge-agent/edge-agent/order"
)

var (
	errOffline   = errors.New("no connection")
	errNoConfirm = errors.New("the broker does not confirm what it is sent")
)

// burstSize is how many publications are handed to the connection before it may flush.
const burstSize = 32

// fairness is every how many publications a row may go before a direct output.
const fairness = 4

// publisher sends, on one connection, documents first, then direct outputs and rows of the outbox.
type publisher struct {
	c    *Client
	link *link
	rows *schedule // nil without an outbox
	feed chan []flight
	fed  chan []flight
	// batch is what goes next; sent awaits the broker, oldest first; done are confirmed rows not yet reported.
	batch, sent []flight
	done        []Cursor
	wait        time.Duration // until a row may go at the bounded rate, 0 if none waits for it
	goodbye     bool          // only documents and direct outputs are still to be sent
}

// flight is one publication on its way.
type flight struct {
	topic    string
	qos      byte
	retained bool
	payload  []byte

	row     Cursor // with isRow
	isRow   bool
	version uint64 // with origin
	origin  *document

	token paho.Token
	since time.Time
}

// run sends until the connection is lost, or until stop is closed and what waited is sent.
func (p *publisher) run(stop <-chan struct{}) {
	defer close(p.feed)
	defer func() {
		p.report()
		p.c.counts.inflight.Add(-int64(len(p.sent)))
	}()
	patience := time.NewTimer(time.Hour)
	defer patience.Stop()
	for {
		select {
		case <-stop:
			p.goodbye, stop = true, nil
		default:
		}
		p.collect()
		more, err := p.fill()
		if err != nil {
			p.link.conn.drop(err)
			return
		}
		if len(p.batch) > 0 && !p.send() {
			return
		}
		if more {
			continue
		}
		if p.goodbye && len(p.sent) == 0 && p.c.docs.empty() && p.c.direct.empty() {
			return
		}
		p.report()
		var head, flushed <-chan struct{}
		if p.link.conn.unwritten() > writeAhead {
			flushed = p.link.conn.flushed
		}
		pause := time.Hour
		if len(p.sent) > 0 {
			head = p.sent[0].token.Done()
			if pause = time.Until(p.sent[0].since.Add(p.c.o.ConfirmTimeout)); pause <= 0 {
				p.link.conn.drop(errNoConfirm)
				return
			}
		}
		if p.wait > 0 {
			pause = min(pause, p.wait)
		}
		patience.Reset(pause)
		select {
		case <-head:
		case <-flushed:
		case <-p.c.docs.wake:
		case <-p.c.direct.wake:
		case <-p.c.woken:
		case <-patience.C:
		case <-stop:
			p.goodbye, stop = true, nil
		case <-p.link.lost:
			return
		}
	}
}

// fill gathers what may go now and reports whether it may have left something.
func (p *publisher) fill() (more bool, err error) {
	p.wait = 0
	for turn := range burstSize {
		if p.link.conn.unwritten() > writeAhead {
			return false, nil
		}
		room := p.c.o.Window - len(p.sent)
		for i := range p.batch {
			room -= int(min(p.batch[i].qos, 1))
		}
		more, err := p.one(room > 0, turn%fairness == 0)
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// one gathers the publication that goes next and reports whether there may be more.
func (p *publisher) one(room, rowsFirst bool) (bool, error) {
	if room {
		if f, ok := p.c.docs.next(); ok {
			p.link.echo.sending(&f)
			p.batch = append(p.batch, f)
			return true, nil
		}
	}
	if rowsFirst {
		if more, err := p.row(room); more || err != nil {
			return more, err
		}
	}
	if f, ok := p.c.direct.next(room); ok {
		p.batch = append(p.batch, f)
		return true, nil
	}
	return p.row(room)
}

// row gathers the row of the outbox that goes next.
func (p *publisher) row(room bool) (bool, error) {
	if !room || p.rows == nil || p.goodbye {
		return false, nil
	}
	if !p.rows.ready {
		return true, p.rows.survey()
	}
	row, ok, wait, err := p.rows.next(time.Now())
	if err != nil || !ok {
		p.wait = wait
		return false, err
	}
	payload, err := Encode(p.c.o.Root, &row)
	if err == nil {
		err = checkPublish(row.Send.Topic, payload)
	}
	if err != nil { // it would be refused for ever, and everything behind it with it
		p.c.counts.refused.Add(1)
		p.c.log.Error("output cannot be published", "daemon", row.Daemon, "topic", row.Send.Topic, "error", err)
		p.done = append(p.done, row.At)
		return true, nil
	}
	p.batch = append(p.batch, flight{
		topic: row.Send.Topic, qos: row.Send.QoS, retained: row.Send.Retained, payload: payload, row: row.At, isRow: true,
	})
	return true, nil
}

// send hands the batch over; false means that the connection is lost.
func (p *publisher) send() bool {
	select {
	case p.feed <- p.batch:
	case <-p.link.lost:
		return false
	}
	select {
	case p.batch = <-p.fed:
	case <-p.link.lost:
		return false
	}
	for i := range p.batch {
		f := &p.batch[i]
		if f.qos > 0 {
			p.sent = append(p.sent, *f)
			p.c.counts.inflight.Add(1)
			continue
		}
		p.c.counts.published.Add(1)
		if f.isRow {
			p.done = append(p.done, f.row)
		}
	}
	clear(p.batch)
	p.batch = p.batch[:0]
	return true
}

// feeder hands batches to the MQTT client, which may keep it waiting for seconds after a connection was lost: it has
// its own goroutine and touches nothing else.
func (p *publisher) feeder() {
	for batch := range p.feed {
		p.link.conn.hold()
		for i := range batch {
			f := &batch[i]
			f.token, f.since = p.link.paho.Publish(f.topic, f.qos, f.retained, f.payload), time.Now()
			if done(f.token) && f.token.Error() != nil {
				p.link.conn.drop(f.token.Error())
				break
			}
		}
		p.link.conn.release()
		select {
		case p.fed <- batch:
		case <-p.link.lost:
			return
		}
	}
}

// collect takes confirmed publications off the front of the window.
func (p *publisher) collect() {
	n := 0
	for n < len(p.sent) && done(p.sent[n].token) && p.sent[n].token.Error() == nil {
		f := &p.sent[n]
		p.c.counts.published.Add(1)
		if f.isRow {
			p.done = append(p.done, f.row)
		}
		if f.origin != nil {
			p.c.docs.confirmed(f)
			p.link.echo.confirmed(f)
		}
		n++
	}
	if n == 0 {
		return
	}
	p.c.counts.inflight.Add(-int64(n))
	left := copy(p.sent, p.sent[n:])
	clear(p.sent[left:])
	p.sent = p.sent[:left]
	if len(p.done) >= pageRows {
		p.report()
	}
}

// report tells the outbox what the broker has.
func (p *publisher) report() {
	if len(p.done) > 0 {
		p.c.o.Outbox.Done(p.done)
		p.done = nil // the outbox may keep it
	}
}

func done(t paho.Token) bool {
	select {
	case <-t.Done():
		return true
	default:
		return false
	}
}

func checkPublish(topic string, payload []byte) error {
	if len(payload) > maxPayload {
		return errors.New("payload above 128 KiB")
	}
	return order.CheckTopic(topic)
}
