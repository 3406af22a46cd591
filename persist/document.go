package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// The bounds of a document.
const (
	maxDocument = 1 << 20
	maxDocKey   = 256
)

func documentKey(bucket, key string) ([]byte, error) {
	if bucket == "" || key == "" || len(bucket)+len(key) > maxDocKey || bytes.IndexByte([]byte(bucket), 0) >= 0 {
		return nil, fmt.Errorf("document %q in %q: the name must have 1 to %d bytes", key, bucket, maxDocKey)
	}
	return append([]byte(bucket+"\x00"), key...), nil
}

// Put writes a document; it is durable when Put returns nil. One that has no room is refused with ErrFull.
func (s *Store) Put(bucket, key string, value []byte) error {
	k, err := documentKey(bucket, key)
	if err != nil {
		return err
	}
	if len(value) > maxDocument {
		return fmt.Errorf("document %q in %q has %d bytes, above %d", key, bucket, len(value), maxDocument)
	}
	value = slices.Clone(value)
	var full error
	err = s.do(func(c *change) error {
		added, room := entry(k, value)+headerSize, c.opts.Limits.Documents-c.books.documents
		if old := c.bucket(documentsBucket).Get(k); old != nil {
			room += entry(k, old)
		}
		if added > room {
			full = fmt.Errorf("document %q in %q: %d bytes where %d are left: %w", key, bucket, added, room, ErrFull)
			return nil
		}
		return c.putDocument(k, value)
	})
	return errors.Join(err, full)
}

func (c *change) putDocument(key, value []byte) error {
	bucket := c.bucket(documentsBucket)
	if old := bucket.Get(key); old != nil {
		c.books.documents -= entry(key, old)
	} else {
		c.books.counts.documents++
		c.totals = true
	}
	raw := appendRecord(nil, documentsBucket, key, record{kind: documentRecord, body: value})
	c.books.documents += entry(key, raw)
	return bucket.Put(key, raw)
}

// Get reads a document, false when there is none. One that is damaged is an alarm and not there.
func (s *Store) Get(bucket, key string) (value []byte, ok bool, err error) {
	k, err := documentKey(bucket, key)
	if err != nil {
		return nil, false, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		value, ok = s.document(tx.Bucket([]byte(documentsBucket)), k)
		return nil
	})
	return value, ok, err
}

func (s *Store) document(b *bolt.Bucket, key []byte) ([]byte, bool) {
	raw := b.Get(key)
	if raw == nil {
		return nil, false
	}
	r, err := parseRecord(raw, documentsBucket, key)
	if err != nil {
		s.alarm(DamagedRecord, "", "%v", err)
		return nil, false
	}
	return slices.Clone(r.body), true
}

// Delete removes a document durably; that there is none is no error.
func (s *Store) Delete(bucket, key string) error {
	k, err := documentKey(bucket, key)
	if err != nil {
		return err
	}
	return s.do(func(c *change) error {
		bucket := c.bucket(documentsBucket)
		if old := bucket.Get(k); old != nil {
			c.books.documents -= entry(k, old)
			c.books.counts.documents--
			c.totals = true
		}
		return bucket.Delete(k)
	})
}

// Each gives every document of a bucket, in order of keys. While the function runs, the store is not held.
func (s *Store) Each(bucket string, give func(key string, value []byte) error) error {
	prefix := []byte(bucket + "\x00")
	var keys []string
	var values [][]byte
	err := s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(documentsBucket))
		cursor := b.Cursor()
		for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
			if value, ok := s.document(b, key); ok {
				keys, values = append(keys, string(key[len(prefix):])), append(values, value)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := give(key, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// Increment raises a counter that is kept as a document and returns its new value, durable; it begins at 1, and is
// always above the floor.
func (s *Store) Increment(bucket, key string, above uint64) (uint64, error) {
	k, err := documentKey(bucket, key)
	if err != nil {
		return 0, err
	}
	next := above
	err = s.do(func(c *change) error {
		if old, ok := s.document(c.bucket(documentsBucket), k); ok && len(old) == 8 {
			next = max(next, binary.LittleEndian.Uint64(old))
		}
		next++
		return c.putDocument(k, binary.LittleEndian.AppendUint64(nil, next))
	})
	return next, err
}
