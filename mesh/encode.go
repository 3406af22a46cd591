package mesh

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The records of this package share one form: a version byte, then fields in a fixed order without padding. Numbers
// are minimal varints, hashes and links fixed words, texts and bytes carry their length. Whoever stores a record adds
// a checksum of its own.

func appendUint(b []byte, n uint64) []byte {
	if n < 0x80 {
		return append(b, byte(n)) // most are; this much is inlined
	}
	return binary.AppendUvarint(b, n)
}

func appendInt(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

func appendWord(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }

func appendText[T ~string](b []byte, s T) []byte { return append(appendUint(b, uint64(len(s))), s...) }

func appendBytes(b, s []byte) []byte { return append(appendUint(b, uint64(len(s))), s...) }

func appendFlags(b []byte, flags ...bool) []byte {
	var bits byte
	for i, set := range flags {
		if set {
			bits |= 1 << i
		}
	}
	return append(b, bits)
}

// decoder walks a record. After the first mistake every value it gives is zero and err says what was wrong; nothing
// is allocated that the bytes at hand cannot fill.
type decoder struct {
	rest []byte
	err  error
}

func decode(b []byte, version byte) decoder {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != version {
		d.fail("version %d: this program knows %d", v, version)
	}
	return d
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err, d.rest = fmt.Errorf(format, args...), nil
	}
}

// end refuses what is left over and names the record in its error.
func (d *decoder) end(record string) error {
	if len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return fmt.Errorf("%s: %w", record, d.err)
	}
	return nil
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("cut short: %d bytes wanted, %d left", n, len(d.rest))
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// choice is a byte that must not exceed the greatest known value.
func (d *decoder) choice(greatest byte, what string) byte {
	b := d.byte()
	if b > greatest {
		d.fail("unknown %s %d", what, b)
		return 0
	}
	return b
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	switch {
	case size <= 0:
		d.fail("cut short or overlong number")
		return 0
	case size > 1 && d.rest[size-1] == 0:
		d.fail("number in more bytes than it needs")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) int() int64 {
	n := d.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *decoder) uint32() uint32 {
	n := d.uint()
	if n > math.MaxUint32 {
		d.fail("number %d above 32 bits", n)
		return 0
	}
	return uint32(n)
}

func (d *decoder) word() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) link() Link {
	return Link{
		Origin: Origin(d.word()), Horizon: Horizon(d.word()), Sequence: d.word(), Parent: d.word(),
	}
}

func (d *decoder) text() string { return string(d.take(d.uint())) }

// bytes copies, so that a record does not hold on to the buffer it came from.
func (d *decoder) bytes() []byte {
	b := d.take(d.uint())
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

func (d *decoder) flags(flags ...*bool) {
	bits := d.byte()
	if bits>>len(flags) != 0 {
		d.fail("unknown flags %#x", bits)
		return
	}
	for i, flag := range flags {
		*flag = bits>>i&1 == 1
	}
}

// count is the number of elements that follow, each of at least size bytes.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.rest)/size) {
		d.fail("%d elements announced, %d bytes left", n, len(d.rest))
		return 0
	}
	return int(n)
}

// list reads elements of at least size bytes each.
func list[T any](d *decoder, size int, one func(*decoder) T) []T {
	n := d.count(size)
	if n == 0 {
		return nil
	}
	all := make([]T, 0, min(n, 1024))
	for range n {
		all = append(all, one(d))
		if d.err != nil {
			return nil
		}
	}
	return all
}
