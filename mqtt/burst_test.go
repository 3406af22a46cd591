package mqtt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// slowConn notes each write and lets it go on when told to.
type slowConn struct {
	net.Conn
	began chan []byte
	pass  chan struct{}
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.began <- bytes.Clone(p)
	<-c.pass
	return len(p), nil
}

func TestWritesOfABurstLeaveTogether(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	conn := &slowConn{Conn: near, began: make(chan []byte, 10), pass: make(chan struct{}, 10)}
	b := newBurst(conn, time.Hour)
	write := func(text string) { must(b.Write([]byte(text)))(t) }
	next := func(want string) {
		t.Helper()
		if got := <-conn.began; string(got) != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	}
	write("a")
	next("a")
	write("b") // while the write before is under way
	write("c")
	conn.pass <- struct{}{}
	next("bc")
	conn.pass <- struct{}{}
	b.hold()
	write("d")
	write("e")
	select {
	case got := <-conn.began:
		t.Errorf("wrote %q of a burst that is held", got)
	default:
	}
	b.release()
	next("de")
	write("f")
	conn.pass <- struct{}{}
	conn.pass <- struct{}{}
	check(t, b.Close())
	next("f")
	if _, err := b.Write([]byte("g")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
}

func TestHeldBurstDoesNotGrowForEver(t *testing.T) {
	near, far := net.Pipe()
	b := newBurst(near, time.Hour)
	b.hold()
	var all sync.WaitGroup
	all.Go(func() { _, _ = io.Copy(io.Discard, far) })
	must(b.Write(make([]byte, burstBytes)))(t)
	await(t, "the write", func() bool { return b.unwritten() == 0 })
	if _, err := b.Write(make([]byte, writeMax+1)); err == nil {
		t.Error("a write beyond all bounds passes")
	}
	check(t, b.Close())
	all.Wait()
}

func TestDroppedConnectionFailsItsReader(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	b := newBurst(near, time.Hour)
	gone := errors.New("gone")
	b.drop(gone)
	b.drop(errors.New("later"))
	check(t, b.SetDeadline(time.Time{})) // as the client does after its handshake
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, gone) {
		t.Errorf("read: %v", err)
	}
	check(t, b.Close())
}

func TestFailedWriteIsNoticed(t *testing.T) {
	near, far := net.Pipe()
	b := newBurst(near, time.Hour)
	check(t, far.Close())
	must(b.Write([]byte("x")))(t)
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("the reader does not notice")
	}
	await(t, "the failure", func() bool { _, err := b.Write([]byte("y")); return err != nil })
	_ = b.Close()
}
