package mesh

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Records share one form, that of a daemon's state too: a version byte, then fields in a fixed order. Numbers are
// minimal varints, hashes and links fixed words, texts and bytes carry their length. Whoever stores a record adds a
// checksum of its own.

// AppendUint adds a number to a record.
func AppendUint(b []byte, n uint64) []byte {
	if n < 0x80 {
		return append(b, byte(n)) // most are; this much is inlined
	}
	return binary.AppendUvarint(b, n)
}

// AppendInt adds a signed number to a record.
func AppendInt(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

// AppendWord adds a number to a record as eight bytes: a hash, or the bits of a float.
func AppendWord(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }

// AppendText adds a text to a record.
func AppendText[T ~string](b []byte, s T) []byte { return append(AppendUint(b, uint64(len(s))), s...) }

// AppendBytes adds bytes to a record.
func AppendBytes(b, s []byte) []byte { return append(AppendUint(b, uint64(len(s))), s...) }

// AppendFlags adds up to eight flags to a record.
func AppendFlags(b []byte, flags ...bool) []byte {
	var bits byte
	for i, set := range flags {
		if set {
			bits |= 1 << i
		}
	}
	return append(b, bits)
}

// Decoder walks a record. After the first mistake every value it gives is zero and End says what was wrong; nothing
// is allocated that the bytes at hand cannot fill.
type Decoder struct {
	rest []byte
	err  error
}

// Decode begins to read a record of the version given.
func Decode(b []byte, version byte) Decoder {
	d := Decoder{rest: b}
	if v := d.Byte(); d.err == nil && v != version {
		d.Fail("version %d: this program knows %d", v, version)
	}
	return d
}

// Fail says what is wrong with the record; the first mistake counts.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err, d.rest = fmt.Errorf(format, args...), nil
	}
}

// End refuses what is left over and names the record in its error.
func (d *Decoder) End(record string) error {
	if len(d.rest) > 0 {
		d.Fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return fmt.Errorf("%s: %w", record, d.err)
	}
	return nil
}

func (d *Decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.Fail("cut short: %d bytes wanted, %d left", n, len(d.rest))
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Choice reads a byte that must not exceed the greatest known value.
func (d *Decoder) Choice(greatest byte, what string) byte {
	b := d.Byte()
	if b > greatest {
		d.Fail("unknown %s %d", what, b)
		return 0
	}
	return b
}

// Uint reads a number.
func (d *Decoder) Uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	switch {
	case size <= 0:
		d.Fail("cut short or overlong number")
		return 0
	case size > 1 && d.rest[size-1] == 0:
		d.Fail("number in more bytes than it needs")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	n := d.Uint()
	return int64(n>>1) ^ -int64(n&1)
}

// Uint32 reads a number of at most 32 bits.
func (d *Decoder) Uint32() uint32 {
	n := d.Uint()
	if n > math.MaxUint32 {
		d.Fail("number %d above 32 bits", n)
		return 0
	}
	return uint32(n)
}

// Word reads eight bytes as a number.
func (d *Decoder) Word() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *Decoder) link() Link {
	return Link{
		Origin: Origin(d.Word()), Horizon: Horizon(d.Word()), Sequence: d.Word(), Parent: d.Word(),
	}
}

// Text reads a text.
func (d *Decoder) Text() string { return string(d.take(d.Uint())) }

// Bytes copies, so that a record does not hold on to the buffer it came from.
func (d *Decoder) Bytes() []byte {
	b := d.take(d.Uint())
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// Flags reads as many flags as are given; others must not be set.
func (d *Decoder) Flags(flags ...*bool) {
	bits := d.Byte()
	if bits>>len(flags) != 0 {
		d.Fail("unknown flags %#x", bits)
		return
	}
	for i, flag := range flags {
		*flag = bits>>i&1 == 1
	}
}

// Count reads the number of elements that follow, each of at least size bytes.
func (d *Decoder) Count(size int) int {
	n := d.Uint()
	if n > uint64(len(d.rest)/size) {
		d.Fail("%d elements announced, %d bytes left", n, len(d.rest))
		return 0
	}
	return int(n)
}

// list reads elements of at least size bytes each.
func list[T any](d *Decoder, size int, one func(*Decoder) T) []T {
	n := d.Count(size)
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
