package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
)

func TestFailuresEndWithTheirCode(t *testing.T) {
	plain := errors.New("broken")
	refused := fail(exitRefused, plain, "ask")
	for name, c := range map[string]struct {
		err  error
		code exitCode
		text string
	}{
		"none":         {nil, exitOK, ""},
		"plain":        {plain, exitFailed, "edge-agent: broken\n"},
		"with a hint":  {fail(exitConfig, plain, "mend it"), exitConfig, "edge-agent: broken\n  hint: mend it\n"},
		"wrapped":      {fmt.Errorf("run: %w", refused), exitRefused, "edge-agent: run: broken\n  hint: ask\n"},
		"first to say": {fail(exitFailed, fail(exitTransport, plain, ""), "no"), exitTransport, "edge-agent: broken\n"},
		"deadline":     {context.DeadlineExceeded, exitTimeout, "edge-agent: context deadline exceeded\n"},
		"dial":         {&net.OpError{Op: "dial", Err: plain}, exitTransport, "edge-agent: dial: broken\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := newConsole(streams{err: &out}).Fail(c.err)
			if code != c.code || out.String() != c.text {
				t.Errorf("code %d, %q; want %d, %q", code, out.String(), c.code, c.text)
			}
		})
	}
}

func TestFailureAsJSON(t *testing.T) {
	var out bytes.Buffer
	con := newConsole(streams{err: &out})
	con.format = formatJSON
	con.Fail(fail(exitRefused, errors.New("<no>"), "ask"))
	if want := `{"error":"<no>","hint":"ask","code":4}` + "\n"; out.String() != want {
		t.Errorf("printed %q; want %q", out.String(), want)
	}
}
