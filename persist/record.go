package persist

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/edge-agent/edge-agent/mesh"
)

// A record is a value of the file: a fixed header, then a body. The CRC-32C covers the name of the bucket, the key, the
// header before it and the body, so that a value under a wrong key is damage as well.
//
//	version u8 | kind u8 | owner u64 | epoch u64 | sequence u64 | length u32 | crc u32 | body
const (
	recordVersion = 1
	headerSize    = 34
	crcAt         = 30
)

type recordKind uint8

const (
	stepRecord recordKind = iota + 1
	outRecord
	givenRecord
	headRecord
	totalsRecord
	rowRecord
	gapRecord
	snapshotRecord
	snapshotFileRecord
	poisonRecord
	documentRecord
	schemaRecord
)

// record is a decoded header with its body, which shares the memory of the value.
type record struct {
	kind     recordKind
	owner    uint64 // hash of the daemon's id, 0 without one
	epoch    uint64
	sequence uint64 // of a step: position of the daemon's step before it; of a head: of its newest step
	body     []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginRecord appends a header that sealRecord completes once the body is behind it.
func beginRecord(b []byte, r record) []byte {
	b = append(b, recordVersion, byte(r.kind))
	b = binary.LittleEndian.AppendUint64(b, r.owner)
	b = binary.LittleEndian.AppendUint64(b, r.epoch)
	b = binary.LittleEndian.AppendUint64(b, r.sequence)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
}

// sealRecord writes length and CRC into the record that is all of b.
func sealRecord(b []byte, bucket string, key []byte) {
	binary.LittleEndian.PutUint32(b[crcAt-4:], uint32(len(b)-headerSize))
	binary.LittleEndian.PutUint32(b[crcAt:], checksum(b, bucket, key))
}

func checksum(b []byte, bucket string, key []byte) uint32 {
	crc := crc32.Update(nameSums[bucket], castagnoli, key)
	crc = crc32.Update(crc, castagnoli, b[:crcAt])
	return crc32.Update(crc, castagnoli, b[headerSize:])
}

func appendRecord(b []byte, bucket string, key []byte, r record) []byte {
	at := len(b)
	b = append(beginRecord(b, r), r.body...)
	sealRecord(b[at:], bucket, key)
	return b
}

// parseRecord checks a value found under a key of a bucket.
func parseRecord(b []byte, bucket string, key []byte) (record, error) {
	if len(b) < headerSize {
		return record{}, fmt.Errorf("%s %x: %d bytes: %w", bucket, key, len(b), errDamaged)
	}
	if b[0] != recordVersion {
		return record{}, fmt.Errorf("%s %x: record version %d: %w", bucket, key, b[0], errDamaged)
	}
	if n := binary.LittleEndian.Uint32(b[crcAt-4:]); uint64(n) != uint64(len(b)-headerSize) {
		return record{}, fmt.Errorf("%s %x: length %d of %d: %w", bucket, key, n, len(b)-headerSize, errDamaged)
	}
	if binary.LittleEndian.Uint32(b[crcAt:]) != checksum(b, bucket, key) {
		return record{}, fmt.Errorf("%s %x: checksum: %w", bucket, key, errDamaged)
	}
	return peekRecord(b), nil
}

// peekRecord reads a header without checking it; b has at least headerSize bytes.
func peekRecord(b []byte) record {
	return record{
		kind:     recordKind(b[1]),
		owner:    binary.LittleEndian.Uint64(b[2:]),
		epoch:    binary.LittleEndian.Uint64(b[10:]),
		sequence: binary.LittleEndian.Uint64(b[18:]),
		body:     b[headerSize:],
	}
}

// ownerOf is the FNV-1a hash of a daemon's id.
func ownerOf(id mesh.DaemonID) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return h
}

func positionKey(p mesh.Position) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(p))
}

func keyPosition(key []byte) mesh.Position {
	if len(key) < 8 {
		return 0
	}
	return mesh.Position(binary.BigEndian.Uint64(key))
}

func rowKey(c Cursor) []byte {
	return binary.BigEndian.AppendUint16(positionKey(c.Position), c.Index)
}

func keyCursor(key []byte) Cursor {
	if len(key) != 10 {
		return Cursor{}
	}
	return Cursor{Position: keyPosition(key), Index: binary.BigEndian.Uint16(key[8:])}
}

// keptKey sorts by daemon, then by position.
func keptKey(owner uint64, p mesh.Position) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), owner), uint64(p))
}
