package persist

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/edge-agent/edge-agent/mesh"
)

// Cursor names a row of the outbox: the position of the output and the place of the send among its sends. Rows are in
// the order of cursors.
type Cursor struct {
	Position mesh.Position
	Index    uint16
}

// Compare orders cursors.
func (c Cursor) Compare(d Cursor) int {
	return cmp.Or(cmp.Compare(c.Position, d.Position), cmp.Compare(c.Index, d.Index))
}

// Row is one output on its way to the broker.
type Row struct {
	Cursor      Cursor
	Daemon      mesh.DaemonID
	Epoch       uint64
	Incarnation uint32
	Link        mesh.Link
	Payload     []byte
	Send        mesh.Send
	Written     time.Time
}

// Gap says which outputs of a daemon were given up before they were sent.
type Gap struct {
	Daemon      mesh.DaemonID
	Epoch       uint64
	Incarnation uint32
	From, To    uint64 // sequences, both included
	Reason      string
}

const (
	reasonFull = "outbox full"
	reasonAge  = "outbox age"
)

// Next returns up to limit rows behind a cursor, oldest first; the zero cursor is before all.
func (s *Store) Next(after Cursor, limit int) ([]Row, error) {
	var rows []Row
	err := s.view(func(tx *bolt.Tx) error {
		cursor := tx.Bucket([]byte(outboxBucket)).Cursor()
		key, value := cursor.Seek(rowKey(after))
		for ; key != nil && len(rows) < limit; key, value = cursor.Next() {
			at := keyCursor(key)
			if at.Compare(after) <= 0 {
				continue
			}
			row, err := readRow(tx, at, key, value)
			if errors.Is(err, errDamaged) {
				s.alarm(DamagedRecord, "", "row of the outbox: %v", err)
				continue
			}
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

func readRow(tx *bolt.Tx, at Cursor, key, value []byte) (Row, error) {
	state, err := parseRow(key, value)
	if err != nil {
		return Row{}, err
	}
	o, err := findOut(tx, at.Position)
	if err != nil {
		return Row{}, err
	}
	if int(at.Index) >= len(o.Sends) {
		return Row{}, fmt.Errorf("row %v of an output with %d sends: %w", at, len(o.Sends), errDamaged)
	}
	return Row{
		Cursor: at, Daemon: o.Daemon, Epoch: o.Epoch, Incarnation: o.Incarnation, Link: o.Link, Payload: o.Payload,
		Send: o.Sends[at.Index], Written: state.wall,
	}, nil
}

// findOut reads an output in the journal, or where it was moved from there.
func findOut(tx *bolt.Tx, p mesh.Position) (mesh.Out, error) {
	key, bucket := positionKey(p), journalBucket
	value := tx.Bucket([]byte(journalBucket)).Get(key)
	if value == nil {
		bucket = outsBucket
		value = tx.Bucket([]byte(outsBucket)).Get(key)
	}
	if value == nil {
		return mesh.Out{}, fmt.Errorf("output %d is missing: %w", p, errDamaged)
	}
	r, err := parseRecord(value, bucket, key)
	if err != nil {
		return mesh.Out{}, err
	}
	if r.kind != outRecord {
		return mesh.Out{}, fmt.Errorf("record %d is no output: %w", p, errDamaged)
	}
	return mesh.ParseOut(r.body)
}

// Waiting is how many rows of a daemon are in the outbox.
func (s *Store) Waiting(id mesh.DaemonID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[id]
}

// Done says that the broker has rows. They are deleted with the next transaction, within a second at the latest.
func (s *Store) Done(rows ...Cursor) {
	if len(rows) == 0 {
		return
	}
	s.mu.Lock()
	if len(s.sent) == 0 {
		s.sentAt = time.Now()
	}
	s.sent = append(s.sent, rows...)
	s.mu.Unlock()
	s.nudge()
}

// row adds a send of an output to the outbox.
func (c *change) row(at Cursor, a *account, sequence uint64, size int64) error {
	start := c.begin(record{kind: rowRecord, owner: a.owner, sequence: sequence})
	c.arena = binary.LittleEndian.AppendUint64(c.arena, uint64(c.age))
	c.arena = binary.LittleEndian.AppendUint64(c.arena, uint64(c.wall))
	c.arena = binary.LittleEndian.AppendUint32(c.arena, uint32(size))
	added, err := c.end(start, outboxBucket, rowKey(at))
	if err != nil {
		return err
	}
	b := c.books
	c.move(a, +1)
	b.outbox += added + size
	return nil
}

// move counts a row in or out.
func (c *change) move(a *account, rows int) {
	c.books.counts.rows += rows
	c.totals = true
	if a == nil {
		return
	}
	a.rows += rows
	if !a.moved {
		a.moved = true
		c.moved = append(c.moved, a)
	}
}

func (c *change) forgetRows(rows []Cursor) error {
	for _, at := range rows {
		if err := c.forgetRow(at); err != nil {
			return err
		}
	}
	return nil
}

// forgetRow takes a row out, and its output too when nobody needs it any more and the journal has passed it.
func (c *change) forgetRow(at Cursor) error {
	b, rows, sought := c.books, c.rows(), rowKey(at)
	key, value := rows.Seek(sought)
	if !bytes.Equal(key, sought) {
		return nil
	}
	size := entry(key, value)
	if row, err := parseRow(key, value); err == nil {
		size += row.out
	}
	if len(value) >= headerSize {
		c.move(b.owners[peekRecord(value).owner], -1)
	}
	if err := rows.Delete(); err != nil {
		return fmt.Errorf("delete row: %w", err)
	}
	b.outbox -= size
	c.budget++
	if at.Position >= b.front || c.waiting(at.Position) {
		return nil
	}
	out := c.bucket(outsBucket).Get(c.at(at.Position))
	if out == nil {
		return nil
	}
	if b.wanted(b.named[at.Position]) {
		b.kept += entry(c.key[:8], out)
		return nil
	}
	delete(b.named, at.Position)
	return c.bucket(outsBucket).Delete(c.at(at.Position))
}

// rows is a cursor over the outbox that may be moved at will.
func (c *change) rows() *bolt.Cursor {
	if c.outbox == nil {
		c.outbox = c.bucket(outboxBucket).Cursor()
	}
	return c.outbox
}

// waiting reports whether any row of an output is left.
func (c *change) waiting(p mesh.Position) bool {
	key, _ := c.rows().Seek(c.at(p))
	return key != nil && keyPosition(key) == p
}

// trimOutbox gives up the oldest rows beyond the limits and leaves a gap record for each run of them.
func (c *change) trimOutbox() error {
	b, limits, crowded := c.books, c.opts.Limits, c.crowded()
	for range c.budget {
		key, value := c.rows().First()
		if b.firstRow = keyPosition(key); key == nil {
			return nil
		}
		b.oldestRow = c.age
		if row, err := parseRow(key, value); err == nil {
			b.oldestRow = row.age
		}
		reason := reasonFull
		if c.age-b.oldestRow > limits.OutboxAge {
			reason = reasonAge
		} else if !crowded && b.counts.rows <= limits.OutboxRows && b.outbox <= limits.Outbox {
			return nil
		}
		if err := c.giveUp(keyCursor(key), key, value, reason); err != nil {
			return err
		}
	}
	return nil
}

// crowded reports whether the pages in use come near the size of the file. Its parts can be within their limits then,
// because records leave a part of their pages empty.
func (c *change) crowded() bool {
	stats, page := c.db.Stats(), int64(c.db.Info().PageSize)
	used := c.tx.Size() - page*int64(stats.FreePageN+stats.PendingPageN)
	return used > c.opts.Limits.File/8*7
}

// A row's body: age of the store when it was written, and the wall clock, both in nanoseconds; size of the output.
const rowBody = 8 + 8 + 4

type rowState struct {
	age  time.Duration
	wall time.Time
	out  int64 // what the output takes in a page
}

func parseRow(key, value []byte) (rowState, error) {
	r, err := parseRecord(value, outboxBucket, key)
	if err != nil {
		return rowState{}, err
	}
	if r.kind != rowRecord || len(r.body) != rowBody || len(key) != 10 {
		return rowState{}, fmt.Errorf("row %x: %w", key, errDamaged)
	}
	return rowState{
		age:  time.Duration(binary.LittleEndian.Uint64(r.body)),
		wall: time.Unix(0, int64(binary.LittleEndian.Uint64(r.body[8:]))),
		out:  int64(binary.LittleEndian.Uint32(r.body[16:])),
	}, nil
}

func (c *change) giveUp(at Cursor, key, value []byte, reason string) error {
	row, err := readRow(c.tx, at, key, value)
	if err != nil {
		c.alarm(LostRecords, "", "given up unread: %v", err)
		return c.forgetRow(at)
	}
	err = c.widenGap(Gap{
		Daemon: row.Daemon, Epoch: row.Epoch, Incarnation: row.Incarnation,
		From: row.Link.Sequence, To: row.Link.Sequence, Reason: reason,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.stats.Dropped++
	c.mu.Unlock()
	return c.forgetRow(at)
}

// widenGap adds a lost output to the daemon's newest gap when it follows it, else begins another.
func (c *change) widenGap(g Gap) error {
	a := c.books.account(g.Daemon)
	if old := a.gap; old != nil && old.Epoch == g.Epoch && old.Incarnation == g.Incarnation &&
		old.Reason == g.Reason && g.From <= old.To+1 && g.From >= old.From {
		g.From, g.To = old.From, max(old.To, g.To)
	}
	a.gap = &g
	return c.putGap(g)
}

func gapKey(g Gap) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(g.Daemon), 0), g.From)
}

func (c *change) putGap(g Gap) error {
	if c.bucket(gapsBucket).Get(gapKey(g)) == nil {
		c.books.counts.gaps++
		c.totals = true
	}
	at := c.begin(record{kind: gapRecord, owner: ownerOf(g.Daemon), epoch: g.Epoch, sequence: g.To})
	c.arena = binary.LittleEndian.AppendUint32(c.arena, g.Incarnation)
	c.arena = append(c.arena, g.Reason...)
	_, err := c.end(at, gapsBucket, gapKey(g))
	return err
}

// Gaps lists the outputs that were given up and not yet published as such, by daemon and sequence.
func (s *Store) Gaps() ([]Gap, error) {
	var gaps []Gap
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(gapsBucket)).ForEach(func(key, value []byte) error {
			g, err := parseGap(key, value)
			if err != nil {
				s.alarm(DamagedRecord, "", "gap: %v", err)
				return nil
			}
			gaps = append(gaps, g)
			return nil
		})
	})
	return gaps, err
}

func parseGap(key, value []byte) (Gap, error) {
	r, err := parseRecord(value, gapsBucket, key)
	if err != nil {
		return Gap{}, err
	}
	n := len(key) - 9
	if r.kind != gapRecord || n < 1 || len(r.body) < 4 {
		return Gap{}, fmt.Errorf("gap %x: %w", key, errDamaged)
	}
	return Gap{
		Daemon: mesh.DaemonID(key[:n]), Epoch: r.epoch, Incarnation: binary.LittleEndian.Uint32(r.body),
		From: binary.BigEndian.Uint64(key[n+1:]), To: r.sequence, Reason: string(r.body[4:]),
	}, nil
}

// GapDone forgets a gap that was published. One that has grown since keeps what is new.
func (s *Store) GapDone(g Gap) error {
	return s.do(func(c *change) error {
		gaps, key := c.bucket(gapsBucket), gapKey(g)
		value := gaps.Get(key)
		if value == nil {
			return nil
		}
		grown, err := parseGap(key, value)
		c.books.counts.gaps--
		c.totals = true
		if err := gaps.Delete(key); err != nil {
			return err
		}
		a := c.books.account(g.Daemon)
		if err != nil || grown.To <= g.To {
			if a.gap != nil && a.gap.From == g.From {
				a.gap = nil
			}
			return nil
		}
		grown.From = g.To + 1
		a.gap = &grown
		return c.putGap(grown)
	})
}
