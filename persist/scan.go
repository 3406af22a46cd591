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
	lost   bool                // records that the totals count are missing
	fresh  map[*account]int    // steps behind the newest snapshot
	told   []Alarm
}

type evidence struct {
	bucket     []byte // path of the bucket that holds the key, a nested one behind a zero byte
	key, value []byte
}

type headTotals struct {
	last   mesh.Position
	age    time.Duration
	counts counts
	found  bool
}

func parseTotals(r record) (headTotals, error) {
	t := headTotals{last: mesh.Position(r.sequence), found: true}
	fields := t.counts.fields()
	if r.kind != totalsRecord || len(r.body) != 8+8*len(fields) {
		return headTotals{}, fmt.Errorf("totals of %d bytes: %w", len(r.body), errDamaged)
	}
	t.age = time.Duration(binary.LittleEndian.Uint64(r.body))
	for i, field := range fields {
		*field = int(binary.LittleEndian.Uint64(r.body[8+8*i:]))
	}
	return t, nil
}

// scan reads the whole file.
func (s *Store) scan() (*scan, error) {
	sc := &scan{
		Store: s, b: newBooks(), seen: make(map[*account]mesh.Position), wanted: make(map[*account]uint32),
		fresh: make(map[*account]int),
	}
	return sc, s.db.View(func(tx *bolt.Tx) error {
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
}

// alarm notes what is to be told once the scan is over.
func (sc *scan) alarm(kind AlarmKind, id mesh.DaemonID, format string, args ...any) {
	sc.told = append(sc.told, sc.newAlarm(kind, id, format, args...))
}

// readBooks builds the books from the file and moves damaged records to the quarantine.
func (s *Store) readBooks() error {
	sc, err := s.scan()
	if err != nil {
		return err
	}
	for _, a := range sc.told {
		s.raise(a)
	}
	s.books = sc.b
	s.mu.Lock()
	s.aged, s.opened = sc.totals.age, time.Now()
	s.waiting, s.given = make(map[mesh.DaemonID]int), make(map[mesh.DaemonID]bool)
	for _, a := range sc.b.daemons {
		s.note(a)
	}
	s.usage()
	s.mu.Unlock()
	if err := s.tidyBeside(sc.bad); err != nil {
		s.opts.Log.Warn("tidy snapshot files", "error", err)
	}
	if len(sc.bad) == 0 && !sc.lost {
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

// hole reports a gap in a daemon's history; it is told once, because the heads are then written anew.
func (sc *scan) hole(id mesh.DaemonID, format string, args ...any) {
	sc.lost = true
	sc.alarm(LostSteps, id, format, args...)
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
		a.head, a.last, a.forgotten = state.head, state.last, state.forgotten
		a.floor, a.born = state.floor, state.born
		a.written = true
		sc.b.counts.heads++
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
			sc.b.counts.snapshots++
		}
		if lost > 0 && len(a.snapshots) == 0 && a.floor > 0 {
			sc.hole(a.id, "no snapshot is left, and the steps up to %d are gone", a.floor)
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
			if p > a.born {
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
	if before := mesh.Position(r.sequence); before > a.floor && before != sc.seen[a] {
		sc.hole(a.id, "between %d and %d", sc.seen[a], s.Position)
	}
	if s.Position > a.born {
		sc.seen[a] = s.Position
	}
	if n := len(a.snapshots); s.Position > a.floor && (n == 0 || s.Position > a.snapshots[n-1].position) {
		sc.fresh[a]++
	}
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
		row, err := parseRow(key, value)
		if err == nil {
			_, err = readRow(sc.tx, keyCursor(key), key, value)
		}
		if err != nil {
			sc.found([]byte(outboxBucket), key, value, "", err)
			sc.alarm(LostRecords, "", "row %v cannot be sent", keyCursor(key))
			continue
		}
		if b.counts.rows == 0 {
			b.oldestRow = row.age
		}
		b.counts.rows++
		if a := b.owners[peekRecord(value).owner]; a != nil {
			a.rows++
		}
		b.outbox += entry(key, value) + row.out
	}
}

// count is how many damaged records of a bucket were found.
func (sc *scan) count(bucket string) (n int) {
	for _, e := range sc.bad {
		if name, _, _ := bytes.Cut(e.bucket, []byte{0}); string(name) == bucket {
			n++
		}
	}
	return n
}

func (sc *scan) rest() {
	n := &sc.b.counts
	sc.each(gapsBucket, func(key []byte, _ record, _ int64) error {
		n.gaps++
		g, err := parseGap(key, sc.tx.Bucket([]byte(gapsBucket)).Get(key))
		if err == nil {
			sc.b.account(g.Daemon).gap = &g
		}
		return err
	})
	sc.each(poisonBucket, func(_ []byte, _ record, size int64) error {
		n.poison++
		sc.b.poison += size
		return nil
	})
	sc.each(documentsBucket, func(_ []byte, _ record, size int64) error {
		n.documents++
		sc.b.documents += size
		return nil
	})
}

// judge compares what was met with what the heads and totals speak of.
func (sc *scan) judge() {
	for _, a := range sc.b.daemons {
		if newest := sc.seen[a]; newest < a.last && a.last > a.floor {
			sc.hole(a.id, "between %d and %d", max(newest, a.floor), a.last)
		}
		if a.given < sc.wanted[a] {
			sc.hole(a.id, "%d given inputs are missing", sc.wanted[a]-a.given)
		}
		a.last = max(a.last, sc.seen[a])
	}
	if !sc.totals.found {
		if sc.b.last > 0 || sc.b.counts != (counts{}) {
			sc.alarm(DamagedRecord, "", "the totals are missing")
		}
		return
	}
	found := sc.b.counts.fields()
	for i, want := range sc.totals.counts.fields() {
		bucket := countedBuckets[i]
		if gone := *want - *found[i] - sc.count(bucket); gone > 0 {
			sc.lost = true
			sc.alarm(LostRecords, "", "%d records of %s are missing", gone, bucket)
		}
	}
}

// setAside moves what is damaged to the quarantine, and writes the heads and totals that the books then have.
func (sc *scan) setAside(tx *bolt.Tx) error {
	c := &change{Store: sc.Store, tx: tx, age: sc.age(), totals: true, buckets: make(map[string]*bolt.Bucket)}
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
