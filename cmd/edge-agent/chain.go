package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

type chainCommand struct {
	Verify chainVerifyCommand `cmd:"" help:"Check causal frames against the rules of chains and epochs."`
}

type chainVerifyCommand struct {
	Fleet string   `help:"Also check that each chain belongs to the daemon of that name in this fleet."`
	Files []string `arg:"" optional:"" help:"Frames, raw or in lines of hex, which may hold gap records; without files the standard input is read."`
}

// verdict is what chain verify prints.
type verdict struct {
	Good    bool               `json:"good"`
	Chains  []mesh.ChainReport `json:"chains"`
	Ignored uint64             `json:"ignored,omitempty"`
}

func (c chainVerifyCommand) Run(con *console) error {
	verifier := mesh.NewVerifier(c.Fleet)
	var unread error
	if len(c.Files) == 0 {
		unread = readFrames(con.In, verifier)
	}
	for _, name := range c.Files {
		if unread = readFile(name, verifier); unread != nil {
			unread = fmt.Errorf("%s: %w", name, unread)
			break
		}
	}
	v := verdict{Good: unread == nil, Chains: verifier.Reports(), Ignored: verifier.Ignored()}
	flawed := 0
	for i := range v.Chains {
		if !v.Chains[i].Good() {
			flawed++
		}
	}
	v.Good = v.Good && flawed == 0 && v.Ignored == 0 && len(v.Chains) > 0
	if err := v.print(con); err != nil {
		return err
	}
	switch {
	case unread != nil:
		return fail(exitFailed, unread, "give frames as mosquitto_sub -F %x prints them, one a line, or raw")
	case len(v.Chains) == 0:
		return fail(exitFailed, errors.New("no frame was given"), "frames come from outputs with the format causal")
	case flawed > 0:
		return fail(exitFailed, fmt.Errorf("%d of %d chains flawed", flawed, len(v.Chains)),
			"frames that were not recorded show as missing: repeat with everything that was sent")
	case v.Ignored > 0:
		return fail(exitFailed, fmt.Errorf("%d frames of more daemons than can be checked at once", v.Ignored), "")
	}
	return nil
}

func readFile(name string, v *mesh.Verifier) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return readFrames(f, v)
}

// readFrames takes raw frames, or lines whose last word is a frame in hex; gap records may stand between them.
func readFrames(from io.Reader, v *mesh.Verifier) error {
	in := bufio.NewReader(from)
	if head, _ := in.Peek(6); bytes.HasSuffix(head, []byte("EC")) {
		return readRaw(in, v)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4*mesh.MaxFrame)
	for n := 1; lines.Scan(); n++ {
		words := bytes.Fields(lines.Bytes())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := readHex(words[len(words)-1], v); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func readRaw(in io.Reader, v *mesh.Verifier) error {
	frames := mesh.NewFrameReader(in)
	for {
		frame, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		v.Add(&frame)
	}
}

func readHex(word []byte, v *mesh.Verifier) error {
	raw, err := hex.AppendDecode(nil, word)
	if err != nil {
		return fmt.Errorf("neither a raw frame nor hex: %w", err)
	}
	if bytes.HasPrefix(raw, []byte("{")) {
		var gap order.Gap
		if err := order.Parse(raw, &gap); err != nil {
			return err
		}
		v.Explain(gap.Daemon, gap.From, gap.To, gap.Reason)
		return nil
	}
	frame, rest, err := mesh.ParseFrame(raw)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind the frame", len(rest))
	}
	if err == nil {
		v.Add(&frame)
	}
	return err
}

func (v verdict) print(con *console) error {
	chains := newTable("daemon", "epoch", "events", "repeats", "sequences", "verdict")
	findings := newTable("daemon", "finding", "epoch", "sequences", "detail")
	for i := range v.Chains {
		r := &v.Chains[i]
		chains.Row(r.Daemon, owner(r.Epoch, r.Incarnation), r.Events, r.Repeats, sequences(r.First, r.Last), word(r))
		for _, f := range r.Findings {
			findings.Row(r.Daemon, string(f.Kind), owner(f.Epoch, f.Incarnation), sequences(f.From, f.To), f.Detail)
		}
		if r.Omitted > 0 {
			findings.Row(r.Daemon, "more", "", "", fmt.Sprintf("%d findings not listed", r.Omitted))
		}
	}
	if chains.Len() == 0 && !con.JSON() {
		return nil
	}
	if err := con.Print(v, chains); err != nil || con.JSON() || findings.Len() == 0 {
		return err
	}
	fmt.Fprintln(con.Out)
	return con.Print(nil, findings)
}

// owner is an epoch, with the incarnation where there are several.
func owner(epoch uint64, incarnation uint32) string {
	if incarnation == 0 {
		return fmt.Sprint(epoch)
	}
	return fmt.Sprintf("%d.%d", epoch, incarnation)
}

func sequences(from, to uint64) string {
	if from == to {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d-%d", from, to)
}

func word(r *mesh.ChainReport) string {
	switch {
	case !r.Good():
		return "flawed"
	case r.Events == 0:
		return "no frames"
	case r.FromGenesis:
		return "whole"
	}
	return "whole since it was seen"
}
