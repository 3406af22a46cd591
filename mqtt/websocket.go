package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

func (o *Options) dialWebSocket(ctx context.Context, u *url.URL) (net.Conn, error) {
	config, err := o.TLS.config(u.Hostname())
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"http/1.1"}
	d := websocket.Dialer{
		Subprotocols:    []string{"mqtt"},
		TLSClientConfig: config,
		NetDialContext:  func(ctx context.Context, _, _ string) (net.Conn, error) { return o.dialTCP(ctx, u) },
	}
	target := *u
	target.User = nil
	conn, resp, err := d.DialContext(ctx, target.String(), nil)
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%w: %s", err, resp.Status)
		}
		return nil, fmt.Errorf("websocket: %w", err)
	}
	return &stream{Conn: conn}, nil
}

// stream shows a websocket as the stream of bytes that its binary messages carry.
type stream struct {
	*websocket.Conn
	message io.Reader
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.message == nil {
			kind, r, err := s.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("websocket: a message that is not binary")
			}
			s.message = r
		}
		n, err := s.message.Read(p)
		if err == io.EOF {
			s.message, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (s *stream) Write(p []byte) (int, error) {
	if err := s.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline bounds reading alone: it is called while others write, which the websocket does not bear. A writer that
// is stuck ends when the reader gives up and closes.
func (s *stream) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }
