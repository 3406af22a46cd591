package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/edge-agent/edge-agent/mesh"
)

// change is one transaction while it is built.
type change struct {
	*Store
	tx      *bolt.Tx
	age     time.Duration // how long the store has run in all
	wall    int64         // Unix nanoseconds
	before  mesh.Position // the highest position before this transaction
	dirty   []*account
	moved   []*account // rows of these came or went
	totals  bool
	budget  int      // records that pruning may touch
	remove  []string // files to delete once the transaction stands
	buckets map[string]*bolt.Bucket
	outbox  *bolt.Cursor
	key     [16]byte
	steps   int
}

// commit writes groups, small writes and the rows that were sent in one transaction.
func (s *Store) commit(batch []work, sent []Cursor) (err error) {
	begun := time.Now()
	if err := s.fault("begin"); err != nil {
		return err
	}
	if err := s.soil(); err != nil {
		return err
	}
	s.arena = s.arena[:0]
	c, err := s.apply(batch, sent)
	if err != nil {
		return err
	}
	for _, path := range c.remove {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.opts.Log.Warn("remove old snapshot", "path", path, "error", err)
		}
	}
	if cap(s.arena) > 4<<20 {
		s.arena = nil
	}
	s.account(c, batch, time.Since(begun))
	return nil
}

// apply turns a panic of bbolt, which a damaged file can cause, into an error.
func (s *Store) apply(batch []work, sent []Cursor) (c *change, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("file gave way: %v", p)
		}
	}()
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	c = &change{
		Store: s, tx: tx, age: s.age(), wall: s.opts.Clock().UnixNano(), before: s.books.last, budget: 64,
		buckets: make(map[string]*bolt.Bucket),
	}
	for _, w := range batch {
		if w.group != nil {
			err = c.group(w.group)
		} else {
			err = w.write(c)
		}
		if err != nil {
			return nil, err
		}
	}
	err = errors.Join(c.forgetRows(sent), c.trimOutbox(), c.prune(), c.writeHeads(), s.fault("commit"))
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	return c, s.fault("committed")
}

func (s *Store) account(c *change, batch []work, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Commits++
	s.stats.Groups += uint64(len(batch))
	s.stats.Steps += uint64(c.steps)
	s.stats.CommitTime += took
	s.stats.Slowest = max(s.stats.Slowest, took)
	for _, a := range c.moved {
		a.moved = false
		s.note(a)
	}
	for _, a := range c.dirty {
		s.note(a)
	}
	s.usage()
}

// bucket opens a bucket once in a transaction.
func (c *change) bucket(name string) *bolt.Bucket {
	b := c.buckets[name]
	if b == nil {
		b = c.tx.Bucket([]byte(name))
		if ascending[name] {
			b.FillPercent = 1
		}
		c.buckets[name] = b
	}
	return b
}

// begin starts a record in the arena; the body is appended to the arena and end puts it into a bucket.
func (c *change) begin(r record) int {
	at := len(c.arena)
	c.arena = beginRecord(c.arena, r)
	return at
}

func (c *change) end(at int, bucket string, key []byte) (int64, error) {
	value := c.arena[at:len(c.arena):len(c.arena)]
	sealRecord(value, bucket, key)
	if err := c.bucket(bucket).Put(key, value); err != nil {
		return 0, fmt.Errorf("put into %s: %w", bucket, err)
	}
	return entry(key, value), nil
}

func (c *change) at(p mesh.Position) []byte {
	return binary.BigEndian.AppendUint64(c.key[:0], uint64(p))
}

func (c *change) touch(a *account) {
	if !a.dirty {
		a.dirty = true
		c.dirty = append(c.dirty, a)
	}
}

func (c *change) group(g *mesh.Group) error {
	b := c.books
	if len(g.Steps)+len(g.Givens) > 0 && len(g.Snapshots) == 0 && b.journal+b.kept > c.opts.Limits.Journal {
		return fmt.Errorf("%d bytes kept: %w", b.journal+b.kept, ErrFull)
	}
	for i := range g.Givens {
		if err := c.given(&g.Givens[i]); err != nil {
			return err
		}
	}
	for i := range g.Steps {
		if err := c.step(&g.Steps[i]); err != nil {
			return err
		}
	}
	for i := range g.Snapshots {
		if err := c.snapshot(&g.Snapshots[i]); err != nil {
			return err
		}
	}
	return nil
}

// advance takes a new position into the books.
func (c *change) advance(p mesh.Position) error {
	b := c.books
	if p <= c.before {
		return fmt.Errorf("position %d is not above %d: %w", p, c.before, mesh.ErrStale)
	}
	if p > b.last {
		b.last = p
		c.totals = true
	}
	c.budget += 2
	return nil
}

func (c *change) step(s *mesh.Step) error {
	b := c.books
	if err := c.advance(s.Position); err != nil {
		return err
	}
	a := b.account(s.Daemon)
	at := c.begin(record{kind: stepRecord, owner: a.owner, epoch: s.Epoch, sequence: uint64(a.last)})
	c.arena = mesh.AppendStep(c.arena, s)
	size, err := c.end(at, journalBucket, c.at(s.Position))
	if err != nil {
		return err
	}
	b.journal += size
	b.name(s.At, a, s.Position)
	b.name(s.Given, a, s.Position)
	if s.Given != 0 {
		b.closed(s.Given)
	}
	for i := range s.Outs {
		if err := c.out(&s.Outs[i], a); err != nil {
			return err
		}
	}
	if s.Poison {
		if err := c.poisoned(s); err != nil {
			return err
		}
	}
	a.head, a.last, a.forgotten = s.Head, s.Position, false
	c.touch(a)
	c.steps++
	return nil
}

func (c *change) out(o *mesh.Out, a *account) error {
	if err := c.advance(o.Position); err != nil {
		return err
	}
	at := c.begin(record{kind: outRecord, owner: a.owner, epoch: o.Epoch, sequence: o.Link.Sequence})
	c.arena = mesh.AppendOut(c.arena, o)
	size, err := c.end(at, journalBucket, c.at(o.Position))
	if err != nil {
		return err
	}
	c.books.journal += size
	for i, send := range o.Sends {
		if send.QoS == 0 {
			continue
		}
		if err := c.row(Cursor{o.Position, uint16(i)}, a, o.Link.Sequence, size); err != nil {
			return err
		}
	}
	return nil
}

// given writes an input that waits; one that is written again, with another attempt, replaces itself.
func (c *change) given(g *mesh.Given) error {
	b := c.books
	a := b.account(g.Daemon)
	_, again := b.open[g.Position]
	if !again {
		if err := c.advance(g.Position); err != nil {
			return err
		}
	}
	at := c.begin(record{kind: givenRecord, owner: a.owner, sequence: uint64(g.Attempt)})
	c.arena = mesh.AppendGiven(c.arena, g)
	bucket, key := journalBucket, c.at(g.Position)
	if again && g.Position < b.front {
		bucket, key = keptBucket, keptKey(a.owner, g.Position)
	}
	old := c.bucket(bucket).Get(key)
	replaced := int64(0)
	if old != nil {
		replaced = entry(key, old)
	}
	size, err := c.end(at, bucket, key)
	if err != nil {
		return err
	}
	if bucket == journalBucket {
		b.journal += size - replaced
	} else {
		b.kept += size - replaced
	}
	if !again {
		b.name(g.At, a, g.Position)
		b.opened(g.Position, a)
	}
	a.forgotten = false
	c.touch(a)
	return nil
}

// writeHeads writes the head of every daemon that moved, and the totals.
func (c *change) writeHeads() error {
	for _, a := range c.dirty {
		if !a.dirty {
			continue // buried in this transaction
		}
		a.dirty = false
		if err := c.head(a); err != nil {
			return err
		}
	}
	if !c.totals {
		return nil
	}
	at := c.begin(record{kind: totalsRecord, sequence: uint64(c.books.last)})
	c.arena = binary.LittleEndian.AppendUint64(c.arena, uint64(c.age))
	for _, n := range c.books.counts.fields() {
		c.arena = binary.LittleEndian.AppendUint64(c.arena, uint64(*n))
	}
	_, err := c.end(at, headsBucket, totalsKey)
	return err
}

// A head's body: link, next, incarnation, floor, born, number of open givens, forgotten.
const headBody = mesh.LinkSize + 8 + 4 + 8 + 8 + 4 + 1

func (c *change) head(a *account) error {
	if !a.written {
		a.written = true
		c.books.counts.heads++
		c.totals = true
	}
	at := c.begin(record{kind: headRecord, owner: a.owner, epoch: a.head.Epoch, sequence: uint64(a.last)})
	b := a.head.Link.Append(c.arena)
	b = binary.LittleEndian.AppendUint64(b, a.head.Next)
	b = binary.LittleEndian.AppendUint32(b, a.head.Incarnation)
	b = binary.LittleEndian.AppendUint64(b, uint64(a.floor))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.born))
	b = binary.LittleEndian.AppendUint32(b, a.given)
	forgotten := byte(0)
	if a.forgotten {
		forgotten = 1
	}
	c.arena = append(b, forgotten)
	_, err := c.end(at, headsBucket, []byte(a.id))
	return err
}

// headState is what a head's record holds.
type headState struct {
	head      mesh.Head
	last      mesh.Position
	floor     mesh.Position
	born      mesh.Position
	given     uint32
	forgotten bool
}

func parseHead(r record) (headState, error) {
	if r.kind != headRecord || len(r.body) != headBody {
		return headState{}, fmt.Errorf("head of %d bytes: %w", len(r.body), errDamaged)
	}
	link, err := mesh.ParseLink(r.body[:mesh.LinkSize])
	if err != nil {
		return headState{}, err
	}
	b := r.body[mesh.LinkSize:]
	return headState{
		head: mesh.Head{
			Link: link, Next: binary.LittleEndian.Uint64(b), Epoch: r.epoch,
			Incarnation: binary.LittleEndian.Uint32(b[8:]),
		},
		last: mesh.Position(r.sequence), floor: mesh.Position(binary.LittleEndian.Uint64(b[12:])),
		born: mesh.Position(binary.LittleEndian.Uint64(b[20:])), given: binary.LittleEndian.Uint32(b[28:]),
		forgotten: b[32] == 1,
	}, nil
}
