package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestBrokerServesUntilItIsAskedToStop(t *testing.T) {
	out, in := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() {
		c := brokerCommand{Listen: "127.0.0.1:0", StateDir: t.TempDir(), LogLevel: "info"}
		done <- c.Run(ctx, newConsole(streams{in: strings.NewReader(""), out: in, err: in}))
		in.Close()
	}()
	line := make([]byte, 1024)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	_, address, ok := strings.Cut(strings.TrimSpace(string(line[:n])), "address=")
	if !ok {
		t.Fatalf("it says %q", line[:n])
	}
	go io.Copy(io.Discard, out)
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// CONNECT of MQTT 3.1.1, clean, with the client id "t", and the CONNACK that accepts it.
	if _, err := conn.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01t")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil || !bytes.Equal(answer, []byte{0x20, 2, 0, 0}) {
		t.Fatalf("answer %x %v", answer, err)
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
}

func TestBrokerThatCannotListenSaysWhatToDo(t *testing.T) {
	c := brokerCommand{Listen: "256.0.0.1:1"}
	err := c.Run(context.Background(), newConsole(streams{out: io.Discard, err: io.Discard}))
	if f := asFailure(err); f.Code != exitConfig || f.Hint == "" {
		t.Errorf("got %+v", f)
	}
}
