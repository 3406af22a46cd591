package mqtt

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// wire is a network between a client and a broker that tests can cut or let swallow everything.
type wire struct {
	url     string
	swallow atomic.Bool // what the broker sends is lost
	made    atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
	group sync.WaitGroup
}

func newWire(t *testing.T, s site) *wire {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	w := &wire{url: "tcp://" + l.Addr().String(), conns: map[net.Conn]bool{}}
	_, target, _ := strings.Cut(s.url, "://")
	w.group.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			w.made.Add(1)
			w.join(near, far)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.cut()
		w.group.Wait()
	})
	return w
}

func (w *wire) join(near, far net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[near], w.conns[far] = true, true
	end := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range []net.Conn{near, far} {
			_ = c.Close()
			delete(w.conns, c)
		}
	}
	w.group.Go(func() {
		defer end()
		_, _ = io.Copy(far, near)
	})
	w.group.Go(func() {
		defer end()
		buf := make([]byte, 4096)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			if !w.swallow.Load() {
				if _, err := near.Write(buf[:n]); err != nil {
					return
				}
			}
		}
	})
}

// cut ends every connection that there is.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
}
