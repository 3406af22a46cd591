package mesh

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame is an output as it travels with its link, so that a reader can check the chain without knowing the node.
type Frame struct {
	Daemon      DaemonID
	Epoch       uint64
	Incarnation uint32
	Link        Link
	Payload     []byte
}

// A frame is: rest length u32 | "EC" | version u8 | flags u8 | epoch u64 | incarnation u32 | id length u8 | id |
// link 32 | payload; little endian, and no flag has a meaning yet.
const (
	frameVersion = 1
	frameFixed   = 2 + 1 + 1 + 8 + 4 + 1 // from "EC" to the id length
	lengthSize   = 4

	minFrame = frameFixed + 1 + LinkSize
	// MaxFrame is the longest encoded frame in bytes.
	MaxFrame = lengthSize + frameFixed + maxName + LinkSize + MaxPayload
)

// ErrCutShort says that bytes end inside a frame: more of them may complete it.
var ErrCutShort = errors.New("cut short")

// AppendFrame adds an encoded frame to b.
func AppendFrame(b []byte, f *Frame) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(frameFixed+len(f.Daemon)+LinkSize+len(f.Payload)))
	b = append(b, 'E', 'C', frameVersion, 0)
	b = binary.LittleEndian.AppendUint64(b, f.Epoch)
	b = binary.LittleEndian.AppendUint32(b, f.Incarnation)
	b = append(b, byte(len(f.Daemon)))
	b = append(b, f.Daemon...)
	b = f.Link.Append(b)
	return append(b, f.Payload...)
}

// ParseFrame reads the first frame of b and gives what follows it. The frame's payload is part of b.
func ParseFrame(b []byte) (f Frame, rest []byte, err error) {
	size, err := frameSize(b)
	if err != nil {
		return Frame{}, b, err
	}
	if len(b)-lengthSize < size {
		return Frame{}, b, fmt.Errorf("causal frame: %d of %d bytes: %w", len(b)-lengthSize, size, ErrCutShort)
	}
	if f, err = parseFrame(b[lengthSize : lengthSize+size : lengthSize+size]); err != nil {
		return Frame{}, b, err
	}
	return f, b[lengthSize+size:], nil
}

// frameSize is the length after the length word.
func frameSize(b []byte) (int, error) {
	if len(b) < lengthSize {
		return 0, fmt.Errorf("causal frame: %d bytes: %w", len(b), ErrCutShort)
	}
	size := binary.LittleEndian.Uint32(b)
	if size < minFrame || size > MaxFrame-lengthSize {
		return 0, fmt.Errorf("causal frame: length %d: want %d to %d", size, minFrame, MaxFrame-lengthSize)
	}
	return int(size), nil
}

func parseFrame(b []byte) (Frame, error) {
	switch {
	case b[0] != 'E' || b[1] != 'C':
		return Frame{}, fmt.Errorf("causal frame: begins with %q: want \"EC\"", b[:2])
	case b[2] != frameVersion:
		return Frame{}, fmt.Errorf("causal frame: version %d: this program knows %d", b[2], frameVersion)
	case b[3] != 0:
		return Frame{}, fmt.Errorf("causal frame: unknown flags %#x", b[3])
	}
	f := Frame{Epoch: binary.LittleEndian.Uint64(b[4:]), Incarnation: binary.LittleEndian.Uint32(b[12:])}
	name := int(b[frameFixed-1])
	if name > len(b)-frameFixed-LinkSize {
		return Frame{}, fmt.Errorf("causal frame: id of %d bytes does not fit", name)
	}
	id, tail := b[frameFixed:frameFixed+name], b[frameFixed+name:]
	var err error
	if f.Daemon, err = ParseDaemonID(string(id)); err != nil {
		return Frame{}, fmt.Errorf("causal frame: %w", err)
	}
	if f.Link, err = ParseLink(tail[:LinkSize]); err != nil {
		return Frame{}, fmt.Errorf("causal frame: %w", err)
	}
	if f.Payload = tail[LinkSize:]; len(f.Payload) > MaxPayload {
		return Frame{}, fmt.Errorf("causal frame: payload of %d bytes, above %d: %w", len(f.Payload), MaxPayload, ErrTooLarge)
	}
	return f, nil
}

// FrameReader reads frames that stand one behind another.
type FrameReader struct {
	from   *bufio.Reader
	buf    []byte
	offset int64
}

// NewFrameReader reads from r, ahead of the frames it gives. A line feed behind a frame, as tools print it, is skipped.
func NewFrameReader(r io.Reader) *FrameReader { return &FrameReader{from: bufio.NewReader(r)} }

// Next gives the next frame, whose payload is valid until the call after; io.EOF says that the last one was whole.
func (r *FrameReader) Next() (Frame, error) {
	r.skipLineFeed()
	head, err := r.from.Peek(lengthSize)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return Frame{}, io.EOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return Frame{}, fmt.Errorf("read causal frame at byte %d: %w", r.offset, err)
	}
	size, err := frameSize(head)
	if err != nil {
		return Frame{}, fmt.Errorf("at byte %d: %w", r.offset, err)
	}
	if cap(r.buf) < lengthSize+size {
		r.buf = make([]byte, lengthSize+size)
	}
	r.buf = r.buf[:lengthSize+size]
	switch n, err := io.ReadFull(r.from, r.buf); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Frame{}, fmt.Errorf("causal frame at byte %d: %d of %d bytes: %w", r.offset, n, len(r.buf), ErrCutShort)
	case err != nil:
		return Frame{}, fmt.Errorf("read causal frame at byte %d: %w", r.offset, err)
	}
	f, _, err := ParseFrame(r.buf)
	if err != nil {
		return Frame{}, fmt.Errorf("at byte %d: %w", r.offset, err)
	}
	r.offset += int64(len(r.buf))
	return f, nil
}

// skipLineFeed skips one only where no frame can begin with it.
func (r *FrameReader) skipLineFeed() {
	const magicAt = lengthSize
	head, _ := r.from.Peek(magicAt + 3)
	alone := len(head) == 1 && head[0] == '\n'
	between := len(head) == magicAt+3 && head[0] == '\n' && head[magicAt+1] == 'E' && head[magicAt+2] == 'C'
	if r.offset > 0 && (alone || between) {
		r.from.Discard(1)
		r.offset++
	}
}
