package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/edge-agent/edge-agent/mesh"
)

// scan reads every record of the file once: it builds the books, and finds what is damaged or missing.
type scan struct {
	*Store
	tx     *bolt.Tx
	b      *books
	bad    []evidence
	seen   map[*account]mesh.Position // newest step met so far
	totals headTotals
	wanted map[*account]uint32 // open givens the heads speak of
}

type evidence struct {
	bucket     []byte // path of the bucket that holds the key, a nested one behind a zero byte
	key, value []byte
}

type headTotals struct {
	last  mesh.Position
	rows  uint64
	age   time.Duration
	found bool
}

func parseTotals(r record) (headTotals, error) {
	if r.kind != totalsRecord || len(r.body) != 16 {
		return headTotals{}, fmt.Errorf("totals of %d bytes: %w", len(r.body), errDamaged)
	}
	return headTotals{
		last: mesh.Position(r.sequence), rows: binary.LittleEndian.Uint64(r.body),
		age: time.Duration(binary.LittleEndian.Uint64(r.body[8:])), found: true,
	}, nil
}

// readBooks builds the books from the file and moves damaged records to the quarantine.
func (s *Store) readBooks() error {
	sc := &scan{
		Store: s, b: newBooks(), seen: make(map[*account]mesh.Position), wanted: make(map[*account]uint32),
	}
	err := s.db.View(func(tx *bolt.Tx) error {
		sc.tx = tx
		sc.heads()
		sc.snapshots()
		sc.steps(keptBucket)
		sc.steps(journalBucket)
		sc.outs()
		sc.outbox()
		sc.rest()
		sc.judge()
		return nil
	})
	if err != nil {
		return err
	}
	s.books, s.aged, s.opened = sc.b, sc.totals.age, time.Now()
	s.mu.Lock()
	s.usage()
	s.mu.Unlock()
	if len(sc.bad) == 0 {
		return nil
	}
	if err := s.soil(); err != nil {
		return err
	}
	return s.db.Update(sc.setAside)
}

// each walks a bucket and gives the records that are good.
func (sc *scan) each(bucket string, good func(key []byte, r record, size int64) error) {
	cursor := sc.tx.Bucket([]byte(bucket)).Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		r, err := parseRecord(value, bucket, key)
		if err == nil {
			err = good(key, r, entry(key, value))
		}
		if err != nil {
			sc.found([]byte(bucket), key, value, "", err)
		}
	}
}

func (sc *scan) found(bucket, key, value []byte, id mesh.DaemonID, err error) {
	sc.bad = append(sc.bad, evidence{bucket, bytes.Clone(key), bytes.Clone(value)})
	sc.alarm(DamagedRecord, id, "%v", err)
}

func (sc *scan) heads() {
	sc.each(headsBucket, func(key []byte, r record, _ int64) (err error) {
		if bytes.Equal(key, totalsKey) {
			sc.totals, err = parseTotals(r)
			sc.b.last = max(sc.b.last, sc.totals.last)
			return err
		}
		state, err := parseHead(r)
		if err != nil {
			return err
		}
		a := sc.b.account(mesh.DaemonID(key))
		a.head, a.last, a.floor, a.forgotten = state.head, state.last, state.floor, state.forgotten
		sc.b.last = max(sc.b.last, state.last)
		sc.wanted[a] = state.given
		return nil
	})
}

func (sc *scan) snapshots() {
	all := sc.tx.Bucket([]byte(snapshotsBucket))
	_ = all.ForEachBucket(func(name []byte) error {
		a, bucket, lost := sc.b.account(mesh.DaemonID(name)), all.Bucket(name), 0
		path := append([]byte(snapshotsBucket+"\x00"), name...)
		cursor := bucket.Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			body, err := sc.snapshotBody(a.id, key, value)
			if err != nil {
				sc.found(path, key, value, a.id, err)
				lost++
				continue
			}
			r := peekRecord(value)
			k := kept{
				serial: uint64(keyPosition(key)), position: mesh.Position(r.sequence), size: int64(len(body)),
				beside: r.kind == snapshotFileRecord,
			}
			a.snapshots = append(a.snapshots, k)
			sc.b.snapshots += k.size
		}
		if lost > 0 && len(a.snapshots) == 0 && a.floor > 0 {
			sc.alarm(LostSteps, a.id, "no snapshot is left, and the steps up to %d are gone", a.floor)
		}
		return nil
	})
}

// steps reads steps and given inputs, where they are written or where they were moved.
func (sc *scan) steps(bucket string) {
	b := sc.b
	sc.each(bucket, func(key []byte, r record, size int64) error {
		p := keyPosition(key)
		if bucket == keptBucket {
			p = keyPosition(key[min(8, len(key)):])
			b.kept += size
		} else {
			if b.journal == 0 {
				b.front = p
			}
			b.journal += size
			b.last = max(b.last, p)
		}
		switch r.kind {
		case stepRecord:
			s, err := mesh.ParseStep(r.body)
			if err != nil {
				return err
			}
			sc.step(&s, r, bucket)
			return nil
		case givenRecord:
			g, err := mesh.ParseGiven(r.body)
			if err != nil {
				return err
			}
			a := b.account(g.Daemon)
			if bucket == keptBucket {
				a.aside++
			}
			if !a.forgotten || p > a.floor {
				b.name(g.At, a, p)
				b.opened(p, a)
			}
			return nil
		case outRecord:
			return nil
		}
		return fmt.Errorf("%s %x: kind %d: %w", bucket, key, r.kind, errDamaged)
	})
	if bucket == journalBucket && b.journal == 0 {
		b.front = b.last + 1
	}
}

func (sc *scan) step(s *mesh.Step, r record, bucket string) {
	b, a := sc.b, sc.b.account(s.Daemon)
	if bucket == keptBucket {
		a.aside++
	}
	b.name(s.At, a, s.Position)
	b.name(s.Given, a, s.Position)
	if s.Given != 0 {
		b.closed(s.Given)
	}
	before, met := sc.seen[a]
	gone := mesh.Position(r.sequence) > a.floor || met && s.Position > a.floor
	if gone && mesh.Position(r.sequence) != before {
		sc.alarm(LostSteps, a.id, "between %d and %d", before, s.Position)
	}
	sc.seen[a] = s.Position
}

func (sc *scan) outs() {
	sc.each(outsBucket, func(key []byte, r record, size int64) error {
		if !sc.waiting(keyPosition(key)) {
			sc.b.kept += size
		}
		return nil
	})
}

func (sc *scan) waiting(p mesh.Position) bool {
	key, _ := sc.tx.Bucket([]byte(outboxBucket)).Cursor().Seek(positionKey(p))
	return key != nil && keyPosition(key) == p
}

func (sc *scan) outbox() {
	b := sc.b
	rows := sc.tx.Bucket([]byte(outboxBucket)).Cursor()
	for key, value := rows.First(); key != nil; key, value = rows.Next() {
		age, _, err := parseRow(key, value)
		if err == nil {
			_, err = readRow(sc.tx, keyCursor(key), key, value)
		}
		if err != nil {
			sc.found([]byte(outboxBucket), key, value, "", err)
			sc.alarm(LostRows, "", "row %v cannot be sent", keyCursor(key))
			continue
		}
		if b.rows == 0 {
			b.oldestRow = age
		}
		b.rows++
		b.outbox += entry(key, value) + sc.outSize(keyCursor(key).Position)
	}
	if gone := int64(sc.totals.rows) - int64(b.rows) - int64(sc.count(outboxBucket)); sc.totals.found && gone > 0 {
		sc.alarm(LostRows, "", "%d rows of the outbox are missing", gone)
	}
}

func (sc *scan) outSize(p mesh.Position) int64 {
	for _, bucket := range []string{journalBucket, outsBucket} {
		if value := sc.tx.Bucket([]byte(bucket)).Get(positionKey(p)); value != nil {
			return int64(16 + 8 + len(value))
		}
	}
	return 0
}

// count is how many damaged records of a bucket were found.
func (sc *scan) count(bucket string) (n int) {
	for _, e := range sc.bad {
		if string(e.bucket) == bucket {
			n++
		}
	}
	return n
}

func (sc *scan) rest() {
	sc.each(gapsBucket, func(key []byte, _ record, _ int64) error {
		g, err := parseGap(key, sc.tx.Bucket([]byte(gapsBucket)).Get(key))
		if err == nil {
			sc.b.account(g.Daemon).gap = &g
		}
		return err
	})
	sc.each(poisonBucket, func([]byte, record, int64) error { sc.b.poison++; return nil })
	sc.each(documentsBucket, func([]byte, record, int64) error { return nil })
}

// judge compares what was met with what the heads and totals speak of.
func (sc *scan) judge() {
	for _, a := range sc.b.daemons {
		if newest := sc.seen[a]; newest < a.last && a.last > a.floor {
			sc.alarm(LostSteps, a.id, "between %d and %d", max(newest, a.floor), a.last)
		}
		if a.given < sc.wanted[a] {
			sc.alarm(LostSteps, a.id, "%d given inputs are missing", sc.wanted[a]-a.given)
		}
		a.last = max(a.last, sc.seen[a])
	}
	if !sc.totals.found && sc.b.last > 0 {
		sc.alarm(DamagedRecord, "", "the totals are missing")
	}
}

// setAside moves what is damaged to the quarantine, and writes the heads and totals that the books then have.
func (sc *scan) setAside(tx *bolt.Tx) error {
	c := &change{Store: sc.Store, tx: tx, age: sc.age(), totals: true}
	for _, e := range sc.bad {
		name, nested, _ := bytes.Cut(e.bucket, []byte{0})
		bucket := tx.Bucket(name)
		if len(nested) > 0 {
			bucket = bucket.Bucket(nested)
		}
		if err := c.quarantine(string(e.bucket), e.key, e.value); err != nil {
			return err
		}
		if err := bucket.Delete(e.key); err != nil {
			return err
		}
	}
	for _, a := range sc.b.daemons {
		if a.last > 0 || a.floor > 0 || len(a.snapshots) > 0 {
			c.touch(a)
		}
	}
	return c.writeHeads()
}
