package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// peer is the measuring side: it sends events and takes the answers, packet by packet.
type peer struct {
	conn    net.Conn
	out     *bufio.Writer
	in      *bufio.Reader
	qos     byte
	packet  uint16
	sent    int
	answers chan time.Time
	failed  chan error
}

// Types of MQTT packets, with their flags.
const (
	connect    = 0x10
	publish    = 0x30
	subscribe  = 0x82
	disconnect = 0xe0
	keepAlive  = 600 // seconds
)

func meet(ctx context.Context, broker string, qos byte) (*peer, error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	p := &peer{
		conn: conn, out: bufio.NewWriterSize(conn, 64<<10), in: bufio.NewReaderSize(conn, 64<<10), qos: qos,
		answers: make(chan time.Time, 2*ahead), failed: make(chan error, 1),
	}
	hello := append(text(nil, "MQTT"), 4, 2)
	hello = binary.BigEndian.AppendUint16(hello, keepAlive)
	p.write(connect, text(hello, "bench-peer"))
	p.write(subscribe, append(text([]byte{0, 1}, Out), 0))
	if err := p.out.Flush(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go p.read()
	return p, nil
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// write puts a packet into the buffer; its failure shows at the next flush.
func (p *peer) write(kind byte, body []byte) {
	head := []byte{kind}
	for n := len(body); ; n >>= 7 {
		if n < 0x80 {
			head = append(head, byte(n))
			break
		}
		head = append(head, byte(n)|0x80)
	}
	_, _ = p.out.Write(head)
	_, _ = p.out.Write(body)
}

func (p *peer) read() {
	defer close(p.failed)
	for {
		kind, err := p.in.ReadByte()
		var size uint64
		if err == nil {
			size, err = binary.ReadUvarint(p.in)
		}
		if err == nil {
			_, err = p.in.Discard(int(size))
		}
		if err != nil {
			p.failed <- err
			return
		}
		if kind&0xf0 == publish {
			p.answers <- time.Now()
		}
	}
}

// send puts one event into the buffer: a reading of 64 bytes, like those of a sensor.
func (p *peer) send() {
	body := text(nil, fmt.Sprintf("%s/%d", In, p.sent%topics))
	kind := byte(publish)
	if p.qos > 0 {
		kind |= 2
		p.packet = p.packet%60_000 + 2
		body = binary.BigEndian.AppendUint16(body, p.packet)
	}
	body = fmt.Appendf(body, `{"seq":%10d,"v":%8.5f,"unit":"degrees celsius","ok":true}`, p.sent, float64(p.sent%100)/7)
	p.write(kind, body)
	p.sent++
}

// settle sends events until one is answered, and then waits until no answer is on its way.
func (p *peer) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settling, errors.New("no answer comes"))
	defer cancel()
	heard := 0
	for quiet := false; heard == 0 || !quiet; {
		if heard == 0 {
			p.send()
			if err := p.out.Flush(); err != nil {
				return err
			}
		}
		select {
		case <-p.answers:
			heard++
			quiet = false
		case <-time.After(200 * time.Millisecond):
			quiet = true
		case err := <-p.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// drive sends events, never more than a window without an answer, and returns how long each took in microseconds.
func (p *peer) drive(ctx context.Context, events, window int) ([]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, settling, errors.New("answers are missing"))
	defer cancel()
	begun := make([]time.Time, 0, events)
	took := make([]float64, 0, events)
	for len(took) < events {
		for len(begun) < events && len(begun)-len(took) < window {
			begun = append(begun, time.Now())
			p.send()
		}
		if err := p.out.Flush(); err != nil {
			return nil, err
		}
		for wait := true; wait || len(p.answers) > 0; wait = false {
			select {
			case at := <-p.answers:
				took = append(took, float64(at.Sub(begun[len(took)]))/float64(time.Microsecond))
			case err := <-p.failed:
				return nil, err
			case <-ctx.Done():
				return nil, fmt.Errorf("%d of %d: %w", len(took), events, context.Cause(ctx))
			}
		}
	}
	return took, nil
}

func (p *peer) close() error {
	p.write(disconnect, nil)
	err := errors.Join(p.out.Flush(), p.conn.Close())
	for {
		select {
		case <-p.answers:
		case gone := <-p.failed:
			if errors.Is(gone, net.ErrClosed) || errors.Is(gone, io.EOF) {
				gone = nil
			}
			return errors.Join(err, gone)
		}
	}
}
