package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// greeting is how long a new connection may take to say who it is.
const greeting = 20 * time.Second

// listener accepts the clients of an embedded broker on one address, over TCP, TLS or websockets. Unlike those that
// come with the broker it bounds how many there are and how long they may stay silent, and knows when all are gone.
type listener struct {
	kind   string
	inner  net.Listener
	config *tls.Config
	group  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

func newListener(kind string, inner net.Listener, config *tls.Config) *listener {
	return &listener{kind: kind, inner: inner, config: config, conns: map[net.Conn]struct{}{}}
}

func (l *listener) ID() string              { return l.kind }
func (l *listener) Address() string         { return l.inner.Addr().String() }
func (l *listener) Protocol() string        { return l.kind }
func (l *listener) Init(*slog.Logger) error { return nil }

// Serve accepts clients until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.group.Add(1)
	l.mu.Unlock()
	defer l.group.Done()
	if l.kind == "ws" {
		l.serveWeb(establish)
		return
	}
	for {
		conn, err := l.inner.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		if l.config != nil {
			conn = tls.Server(conn, l.config)
		}
		l.group.Go(func() { l.attend(conn, establish) })
	}
}

func (l *listener) serveWeb(establish listeners.EstablishFn) {
	upgrade := websocket.Upgrader{
		Subprotocols: []string{"mqtt"}, HandshakeTimeout: greeting, CheckOrigin: func(*http.Request) bool { return true },
	}
	server := &http.Server{
		ReadHeaderTimeout: greeting,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrade.Upgrade(w, r, nil)
			if err != nil {
				return // the client was told
			}
			conn.SetReadLimit(brokerPacket)
			l.group.Add(1)
			defer l.group.Done()
			l.attend(&stream{Conn: conn}, establish)
		}),
	}
	_ = server.Serve(l.inner) // it ends when the listener is closed
	_ = server.Close()
}

// attend serves one client until it is gone.
func (l *listener) attend(conn net.Conn, establish listeners.EstablishFn) {
	g := &gate{Conn: conn}
	if !l.admit(g) {
		_ = conn.Close()
		return
	}
	if secure, ok := conn.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), greeting)
		defer cancel()
		if secure.HandshakeContext(ctx) != nil {
			l.dismiss(g)
			return
		}
	}
	_ = conn.SetDeadline(time.Now().Add(greeting)) // the broker moves it once the client is known
	_ = establish(l.kind, g)                       // why a client left is of no interest here
	l.dismiss(g)
}

func (l *listener) admit(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.conns) >= brokerClients {
		return false
	}
	l.conns[conn] = struct{}{}
	return true
}

func (l *listener) dismiss(g *gate) {
	g.pass()
	g.share()
	_ = g.Close()
	l.mu.Lock()
	delete(l.conns, g)
	l.mu.Unlock()
}

// Close ends the listener and its connections.
func (l *listener) Close(closeClients listeners.CloseFn) {
	_ = l.inner.Close()
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	conns := make([]net.Conn, 0, len(l.conns))
	for conn := range l.conns {
		conns = append(conns, conn)
	}
	l.mu.Unlock()
	if first {
		closeClients(l.kind)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// wait returns when no connection is left, after Close.
func (l *listener) wait() { l.group.Wait() }
