package persist

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

func TestRecordComesBackAsItWas(t *testing.T) {
	want := record{kind: stepRecord, owner: 1 << 60, epoch: 7, sequence: 1 << 50, body: []byte("body")}
	key := []byte("key")
	value := appendRecord([]byte("before"), journalBucket, key, want)[len("before"):]
	got, err := parseRecord(value, journalBucket, key)
	if err != nil || got.kind != want.kind || got.owner != want.owner || got.epoch != want.epoch ||
		got.sequence != want.sequence || !bytes.Equal(got.body, want.body) {
		t.Errorf("%+v, %v: want %+v", got, err, want)
	}
}

func TestRecordThatIsNotWhatWasWrittenIsDamaged(t *testing.T) {
	key := []byte("key")
	value := appendRecord(nil, journalBucket, key, record{kind: stepRecord, body: []byte("some body")})
	refused := func(what string, value []byte, bucket string, key []byte) {
		t.Helper()
		if _, err := parseRecord(value, bucket, key); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another key", value, journalBucket, []byte("kez"))
	refused("another bucket", value, outsBucket, key)
	refused("one byte more", append(slices.Clone(value), 0), journalBucket, key)
	for n := range value {
		refused("a cut", value[:n], journalBucket, key)
		for bit := range 8 {
			bad := slices.Clone(value)
			bad[n] ^= 1 << bit
			refused("a flipped bit", bad, journalBucket, key)
		}
	}
}

func FuzzRecord(f *testing.F) {
	key := []byte{0, 0, 0, 0, 0, 0, 0, 9}
	f.Add(appendRecord(nil, journalBucket, key, record{kind: headRecord, body: make([]byte, headBody)}), key)
	f.Add(appendRecord(nil, journalBucket, key, record{kind: totalsRecord, body: make([]byte, 56)}), key)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, value, key []byte) {
		if r, err := parseRecord(value, journalBucket, key); err == nil {
			if again := appendRecord(nil, journalBucket, key, r); !bytes.Equal(again, value) {
				t.Errorf("%x becomes %x", value, again)
			}
		}
		// The bodies must stand anything, as if their sums were right.
		r := record{kind: headRecord, body: value}
		_, _ = parseHead(r)
		r.kind = totalsRecord
		_, _ = parseTotals(r)
		for bucket, kind := range map[string]recordKind{
			outboxBucket: rowRecord, gapsBucket: gapRecord, poisonBucket: poisonRecord,
		} {
			sealed := appendRecord(nil, bucket, key, record{kind: kind, body: value})
			switch bucket {
			case outboxBucket:
				_, _ = parseRow(key, sealed)
			case gapsBucket:
				_, _ = parseGap(key, sealed)
			case poisonBucket:
				_, _ = parsePoison(key, sealed)
			}
		}
	})
}

func TestKeysSortLikePositions(t *testing.T) {
	var last []byte
	for _, c := range []Cursor{{1, 0}, {1, 1}, {1, 300}, {2, 0}, {255, 0}, {256, 0}, {1 << 40, 0}} {
		key := rowKey(c)
		if bytes.Compare(last, key) >= 0 || keyCursor(key) != c {
			t.Errorf("key %x of %v behind %x", key, c, last)
		}
		last = key
	}
}

func BenchmarkParseRecord(b *testing.B) {
	key := positionKey(9)
	step := newWriter().step("daemon", string(make([]byte, 256)))
	value := appendRecord(nil, journalBucket, key, record{kind: stepRecord, body: mesh.AppendStep(nil, &step)})
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := parseRecord(value, journalBucket, key); err != nil {
			b.Fatal(err)
		}
	}
}
