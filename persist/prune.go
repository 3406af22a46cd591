package persist

import (
	"fmt"

	"github.com/edge-agent/edge-agent/mesh"
)

// prune deletes what no restart needs from the front of the journal, as much as the budget allows. What is still needed
// stops it, until the journal is three quarters full: then such records are moved aside, so that it always advances.
func (c *change) prune() error {
	b := c.books
	if err := c.pruneAside(); err != nil {
		return err
	}
	pressed := b.journal > c.opts.Limits.Journal/4*3
	cursor := c.bucket(journalBucket).Cursor()
	var gone []mesh.Position
	key, value := cursor.First()
	for ; key != nil && c.budget > 0; key, value = cursor.Next() {
		p := keyPosition(key)
		if p > c.before { // written by this transaction
			break
		}
		keep := c.keeps(p, value)
		if keep && !pressed {
			break
		}
		c.budget--
		size := entry(key, value)
		if keep {
			if err := c.moveAside(p, key, value); err != nil {
				return err
			}
		} else if err := c.released(p, peekRecord(value)); err != nil {
			return err
		}
		b.journal -= size
		gone = append(gone, p)
	}
	if len(gone) == 0 {
		return nil
	}
	b.front = b.last + 1
	if key != nil {
		b.front = keyPosition(key)
	}
	journal := c.bucket(journalBucket)
	for _, p := range gone {
		if err := journal.Delete(c.at(p)); err != nil {
			return fmt.Errorf("prune journal: %w", err)
		}
	}
	return c.buryForgotten()
}

// keeps reports whether the record at the front is still needed.
func (c *change) keeps(p mesh.Position, value []byte) bool {
	if len(value) < headerSize {
		return false
	}
	r := peekRecord(value)
	if r.kind == outRecord {
		waits := c.books.firstRow != 0 && p >= c.books.firstRow && c.waiting(p)
		return waits || c.books.wanted(c.books.named[p])
	}
	a := c.books.owners[r.owner]
	return a != nil && c.books.needed(a, p)
}

// released takes back what a record that goes had named.
func (c *change) released(p mesh.Position, r record) error {
	b := c.books
	if len(b.named) == 0 {
		return nil
	}
	switch r.kind {
	case outRecord:
		delete(b.named, p)
	case stepRecord:
		s, err := mesh.ParseStep(r.body)
		if err != nil {
			return nil // what it named is released when its own time comes
		}
		if s.Given != 0 && b.unname(s.Given, p) && s.Given < b.front {
			if err := c.dropAside(keptKey(r.owner, s.Given), s.Given); err != nil {
				return err
			}
		}
		return c.releaseOut(s.At, p)
	case givenRecord:
		delete(b.named, p)
		g, err := mesh.ParseGiven(r.body)
		if err != nil {
			return nil
		}
		return c.releaseOut(g.At, p)
	}
	return nil
}

// releaseOut deletes an output that was moved aside once nobody names it and no row waits for it.
func (c *change) releaseOut(out, by mesh.Position) error {
	b := c.books
	if out == 0 || !b.unname(out, by) || out >= b.front || c.waiting(out) {
		return nil
	}
	key := positionKey(out)
	value := c.bucket(outsBucket).Get(key)
	if value == nil {
		return nil
	}
	b.kept -= entry(key, value)
	return c.bucket(outsBucket).Delete(key)
}

// moveAside copies a record that is still needed to a bucket that pruning does not sweep.
func (c *change) moveAside(p mesh.Position, key, value []byte) error {
	r, err := parseRecord(value, journalBucket, key)
	if err != nil {
		c.alarm(DamagedRecord, "", "%v", err)
		return c.quarantine(journalBucket, key, value)
	}
	bucket, to := outsBucket, positionKey(p)
	if r.kind != outRecord {
		bucket, to = keptBucket, keptKey(r.owner, p)
	}
	at := len(c.arena)
	c.arena = append(c.arena, value...)
	size, err := c.end(at, bucket, to)
	if err != nil {
		return err
	}
	if r.kind != outRecord {
		a := c.books.owners[r.owner]
		a.aside++
		a.swept = min(a.swept, p)
		c.books.kept += size
	} else if !c.waiting(p) {
		c.books.kept += size
	}
	return nil
}

// pruneAside deletes the moved records of daemons whose floor has risen above them.
func (c *change) pruneAside() error {
	for _, a := range c.books.daemons {
		if a.aside == 0 || a.swept >= a.floor {
			continue
		}
		if err := c.pruneAccount(a); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) pruneAccount(a *account) error {
	type moved struct {
		p mesh.Position
		r record
	}
	var gone []moved
	cursor := c.bucket(keptBucket).Cursor()
	key, value := cursor.Seek(keptKey(a.owner, a.swept))
	for ; key != nil && c.budget > 0; key, value = cursor.Next() {
		p := keyPosition(key[8:])
		if keyPosition(key) != mesh.Position(a.owner) || p > a.floor {
			a.swept = a.floor
			break
		}
		c.budget--
		a.swept = p + 1
		if len(value) >= headerSize && !c.books.needed(a, p) {
			gone = append(gone, moved{p, peekRecord(value)})
		}
	}
	if key == nil {
		a.swept = a.floor
	}
	for _, m := range gone {
		if err := c.released(m.p, m.r); err != nil {
			return err
		}
		if err := c.dropAside(keptKey(a.owner, m.p), m.p); err != nil {
			return err
		}
	}
	return nil
}

// dropAside deletes a moved step or given input.
func (c *change) dropAside(key []byte, p mesh.Position) error {
	kept := c.bucket(keptBucket)
	value := kept.Get(key)
	if value == nil {
		return nil
	}
	r := peekRecord(value)
	if a := c.books.owners[r.owner]; a != nil {
		a.aside--
	}
	c.books.kept -= entry(key, value)
	if r.kind == givenRecord {
		if err := c.released(p, r); err != nil {
			return err
		}
	}
	return kept.Delete(key)
}

// buryForgotten drops the heads of forgotten daemons that the journal has passed.
func (c *change) buryForgotten() error {
	for id, a := range c.books.daemons {
		if !a.forgotten || a.floor >= c.books.front || a.aside > 0 || a.gap != nil || a.rows > 0 {
			continue
		}
		if err := c.bucket(headsBucket).Delete([]byte(id)); err != nil {
			return err
		}
		if a.written {
			c.books.counts.heads--
			c.totals = true
		}
		a.dirty = false
		delete(c.books.daemons, id)
		delete(c.books.owners, a.owner)
	}
	return nil
}

// quarantine keeps a damaged value as evidence, while there is room.
func (c *change) quarantine(bucket string, key, value []byte) error {
	q := c.bucket(quarantineBucket)
	if q.Stats().KeyN >= maxQuarantined || len(value) > maxEvidence {
		return nil
	}
	return q.Put(append([]byte(bucket+"\x00"), key[:min(len(key), maxDocKey)]...), value)
}

const (
	maxQuarantined = 64
	maxEvidence    = 64 << 10
)
