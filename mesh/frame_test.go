package mesh

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var sampleFrame = Frame{Daemon: "pump-1", Epoch: 1, Incarnation: 2, Link: sampleLink, Payload: []byte(`{"count":1}`)}

func TestFrameLayout(t *testing.T) {
	f := Frame{Daemon: "ab", Epoch: 0x0102, Incarnation: 3, Link: Link{1, 2, 3, 4}, Payload: []byte("hi")}
	want := "35000000" + "4543" + "01" + "00" + "0201000000000000" + "03000000" + "02" + "6162" +
		"0100000000000000" + "0200000000000000" + "0300000000000000" + "0400000000000000" + "6869"
	if got := hex.EncodeToString(AppendFrame(nil, &f)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestParseFrameGivesWhatFollows(t *testing.T) {
	raw := append(AppendFrame(nil, &sampleFrame), "next"...)
	f, rest, err := ParseFrame(raw)
	if err != nil || string(rest) != "next" {
		t.Fatalf("rest %q, %v", rest, err)
	}
	if diff := cmp.Diff(sampleFrame, f); diff != "" {
		t.Error(diff)
	}
}

func TestParseFrameRefuses(t *testing.T) {
	whole := AppendFrame(nil, &sampleFrame)
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], to)
		return b
	}
	large := sampleFrame
	large.Payload = make([]byte, MaxPayload+1)
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"nothing":             {nil, "0 bytes: cut short"},
		"half a length":       {whole[:2], "2 bytes: cut short"},
		"half a frame":        {whole[:40], "36 of 66 bytes: cut short"},
		"a length too small":  {change(0, 49, 0, 0, 0), "length 49: want 50 to"},
		"a length too large":  {change(0, 0xff, 0xff, 0xff, 0xff), "length 4294967295: want 50 to"},
		"another magic":       {change(4, 'X'), `begins with "XC"`},
		"a newer version":     {change(6, 2), "version 2"},
		"an unknown flag":     {change(7, 0x80), "unknown flags 0x80"},
		"an id past the end":  {change(20, 0xff), "id of 255 bytes does not fit"},
		"an id of no bytes":   {change(20, 0), "must have 1 to 64 characters"},
		"an id in upper case": {change(21, 'P'), `character 'P' at 0`},
		"a payload too large": {AppendFrame(nil, &large), "above 98304: too large"},
	} {
		if _, _, err := ParseFrame(c.bytes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestFrameReaderReadsFramesOneBehindAnother(t *testing.T) {
	var raw []byte
	for n := range 20 {
		f := sampleFrame
		f.Link.Sequence = uint64(n)
		f.Payload = make([]byte, n*700)
		raw = AppendFrame(raw, &f)
	}
	r := NewFrameReader(iotest.HalfReader(bytes.NewReader(raw)))
	for n := range 20 {
		f, err := r.Next()
		if err != nil || f.Link.Sequence != uint64(n) || len(f.Payload) != n*700 {
			t.Fatalf("frame %d: sequence %d, %d bytes, %v", n, f.Link.Sequence, len(f.Payload), err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestFrameReaderSkipsLineFeedsBetweenFrames(t *testing.T) {
	var raw []byte
	for _, size := range []int{5, 266 - minFrame, 0} { // the second length begins with a line feed
		f := Frame{Daemon: "d", Link: sampleLink, Payload: make([]byte, size)}
		raw = append(AppendFrame(raw, &f), '\n')
	}
	r := NewFrameReader(bytes.NewReader(raw))
	for i := range 3 {
		if _, err := r.Next(); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestFrameReaderTellsACutFromAnEnd(t *testing.T) {
	raw := AppendFrame(AppendFrame(nil, &sampleFrame), &sampleFrame)
	for _, cut := range []int{1, 20, 69} {
		r := NewFrameReader(bytes.NewReader(raw[:len(raw)-cut]))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); !errors.Is(err, ErrCutShort) || !strings.Contains(err.Error(), "byte 70") {
			t.Errorf("cut by %d: %v", cut, err)
		}
	}
	broken := errors.New("broken pipe")
	if _, err := NewFrameReader(iotest.ErrReader(broken)).Next(); !errors.Is(err, broken) {
		t.Errorf("read error became %v", err)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(AppendFrame(nil, &sampleFrame))
	f.Add(AppendFrame(AppendFrame(nil, &Frame{Daemon: "d"}), &sampleFrame))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, rest, err := ParseFrame(b)
		if err != nil {
			return
		}
		if again := append(AppendFrame(nil, &frame), rest...); !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}

func BenchmarkAppendFrame(b *testing.B) {
	f := sampleFrame
	f.Payload = make([]byte, 256)
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendFrame(buf[:0], &f)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParseFrame(b *testing.B) {
	raw := AppendFrame(nil, &sampleFrame)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseFrame(raw); err != nil {
			b.Fatal(err)
		}
	}
}
