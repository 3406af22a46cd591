package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// streams are the program's standard input and outputs.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

func systemStreams() streams { return streams{in: os.Stdin, out: os.Stdout, err: os.Stderr} }

// format is how results are printed.
type format string

const (
	formatTable      format = "table"
	formatJSON       format = "json"
	formatNFD        format = "nfd"        // of probe alone
	formatPrometheus format = "prometheus" // of probe alone
)

// console is where a command reads and prints: results to Out, everything else to Err. One goroutine at a time uses it.
type console struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	format format
}

func newConsole(s streams) *console {
	return &console{In: s.in, Out: s.out, Err: s.err, format: formatTable}
}

// JSON reports whether the user asked for JSON.
func (c *console) JSON() bool { return c.format == formatJSON }

// Print shows one result: v as indented JSON, or t as a table.
func (c *console) Print(v any, t *table) error {
	if c.JSON() {
		return c.document(v, "  ")
	}
	_, err := io.WriteString(c.Out, t.Render(columns(c.Out)))
	return err
}

// PrintText shows one result: v as indented JSON, or the text followed by a line feed.
func (c *console) PrintText(v any, text string) error {
	if c.JSON() {
		return c.document(v, "  ")
	}
	_, err := fmt.Fprintln(c.Out, text)
	return err
}

// PrintLine shows one item of a stream: v as one line of JSON, or the text.
func (c *console) PrintLine(v any, text string) error {
	if c.JSON() {
		return c.document(v, "")
	}
	_, err := fmt.Fprintln(c.Out, text)
	return err
}

// Note tells a person something that is no result; with JSON it is left out.
func (c *console) Note(text string, args ...any) {
	if !c.JSON() {
		fmt.Fprintf(c.Err, text+"\n", args...)
	}
}

// Fail prints an error, if there is one, and what to do next; it returns the exit code.
func (c *console) Fail(err error) exitCode {
	if err == nil {
		return exitOK
	}
	f := asFailure(err)
	if c.JSON() {
		enc := json.NewEncoder(c.Err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(struct {
			Error string   `json:"error"`
			Hint  string   `json:"hint,omitempty"`
			Code  exitCode `json:"code"`
		}{f.Error(), f.Hint, f.Code})
		return f.Code
	}
	fmt.Fprintln(c.Err, "edge-agent:", f.Error())
	if f.Hint != "" {
		fmt.Fprintln(c.Err, "  hint:", f.Hint)
	}
	return f.Code
}

func (c *console) document(v any, indent string) error {
	enc := json.NewEncoder(c.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(v)
}

// columns is the width of the terminal that w writes to, or 0 where there is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
