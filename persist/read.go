package persist

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/edge-agent/edge-agent/mesh"
)

// Head is where a daemon's chain stands on disk, false when the store does not know the daemon.
func (s *Store) Head(id mesh.DaemonID) (head mesh.Head, ok bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		state, found, err := readHead(tx, id)
		head, ok = state.head, found && !state.forgotten
		return err
	})
	return head, ok, err
}

func readHead(tx *bolt.Tx, id mesh.DaemonID) (headState, bool, error) {
	key := []byte(id)
	value := tx.Bucket([]byte(headsBucket)).Get(key)
	if value == nil {
		return headState{}, false, nil
	}
	r, err := parseRecord(value, headsBucket, key)
	if err != nil {
		return headState{}, false, fmt.Errorf("head of %s: %w", id, err)
	}
	state, err := parseHead(r)
	return state, err == nil, err
}

// Daemons lists the daemons that the store knows, in order.
func (s *Store) Daemons() ([]mesh.DaemonID, error) {
	var ids []mesh.DaemonID
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(headsBucket)).ForEach(func(key, value []byte) error {
			if bytes.Equal(key, totalsKey) {
				return nil
			}
			id := mesh.DaemonID(key)
			if state, ok, err := readHead(tx, id); err == nil && ok && !state.forgotten {
				ids = append(ids, id)
			}
			return nil
		})
	})
	return ids, err
}

// Last is the highest position that was ever written.
func (s *Store) Last() (last mesh.Position, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		if value := tx.Bucket([]byte(headsBucket)).Get(totalsKey); value != nil {
			r, err := parseRecord(value, headsBucket, totalsKey)
			if err == nil {
				last = mesh.Position(r.sequence)
			}
		}
		if key, _ := tx.Bucket([]byte(journalBucket)).Cursor().Last(); key != nil {
			last = max(last, keyPosition(key))
		}
		return nil
	})
	return last, err
}

// replayBatch bounds the steps that a replay reads at a time, and replayBytes their payloads.
const (
	replayBatch = 256
	replayBytes = 1 << 20
)

// Replay gives a daemon's steps behind a position, in order, each with the payload of its input. What cannot be read
// is left out with an alarm. An error of the function ends the replay. While it runs, the store is not held.
func (s *Store) Replay(id mesh.DaemonID, after mesh.Position, give func(mesh.Step) error) error {
	for {
		steps, err := s.steps(id, after)
		if err != nil || len(steps) == 0 {
			return err
		}
		for _, step := range steps {
			if err := give(step); err != nil {
				return err
			}
		}
		after = steps[len(steps)-1].Position
	}
}

// errEnough ends a walk that has what it wants.
var errEnough = errors.New("enough")

// steps reads the next steps of a daemon behind a position.
func (s *Store) steps(id mesh.DaemonID, after mesh.Position) (steps []mesh.Step, err error) {
	size := 0
	err = s.view(func(tx *bolt.Tx) error {
		if state, ok, err := readHead(tx, id); err == nil && ok {
			after = max(after, state.floor)
		}
		return s.each(tx, id, stepRecord, after, func(r record, p mesh.Position) error {
			step, err := mesh.ParseStep(r.body)
			if err == nil {
				err = resolve(tx, &step)
			}
			if err != nil {
				s.alarm(LostSteps, id, "step %d: %v", p, err)
				return nil
			}
			if step.Daemon != id {
				return nil
			}
			steps = append(steps, step)
			if size += len(step.Event.Payload); len(steps) >= replayBatch || size >= replayBytes {
				return errEnough
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return steps, err
}

// Givens lists the inputs of a daemon that were written and not processed, in order.
func (s *Store) Givens(id mesh.DaemonID) ([]mesh.Given, error) {
	s.mu.Lock()
	none := s.given != nil && !s.given[id]
	s.mu.Unlock()
	if none {
		return nil, nil
	}
	var givens []mesh.Given
	done := make(map[mesh.Position]bool)
	err := s.view(func(tx *bolt.Tx) error {
		state, _, err := readHead(tx, id)
		if err != nil {
			s.alarm(DamagedRecord, id, "%v", err)
		}
		err = s.each(tx, id, stepRecord, state.born, func(r record, _ mesh.Position) error {
			if step, err := mesh.ParseStep(r.body); err == nil && step.Given != 0 {
				done[step.Given] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		return s.each(tx, id, givenRecord, state.born, func(r record, p mesh.Position) error {
			if done[p] {
				return nil
			}
			g, err := mesh.ParseGiven(r.body)
			if err == nil && g.At != 0 && g.Event.Payload == nil {
				g.Event.Payload, err = payloadOf(tx, g.At)
			}
			if err != nil {
				s.alarm(LostSteps, id, "given input %d: %v", p, err)
				return nil
			}
			if g.Daemon == id {
				givens = append(givens, g)
			}
			return nil
		})
	})
	slices.SortFunc(givens, func(a, b mesh.Given) int { return cmp.Compare(a.Position, b.Position) })
	return givens, err
}

// each walks the good records of one kind that a daemon owns, in order of position.
func (s *Store) each(
	tx *bolt.Tx, id mesh.DaemonID, kind recordKind, after mesh.Position, give func(record, mesh.Position) error,
) error {
	owner := ownerOf(id)
	visit := func(bucket string, key, value []byte, p mesh.Position) error {
		if len(value) < headerSize || p <= after {
			return nil
		}
		if r := peekRecord(value); r.owner != owner || r.kind != kind {
			return nil
		}
		r, err := parseRecord(value, bucket, key)
		if err != nil {
			s.alarm(DamagedRecord, id, "%v", err)
			return nil
		}
		return give(r, p)
	}
	cursor := tx.Bucket([]byte(keptBucket)).Cursor()
	for key, value := cursor.Seek(keptKey(owner, after+1)); len(key) == 16; key, value = cursor.Next() {
		if keyPosition(key) != mesh.Position(owner) {
			break
		}
		if err := visit(keptBucket, key, value, keyPosition(key[8:])); err != nil {
			return err
		}
	}
	cursor = tx.Bucket([]byte(journalBucket)).Cursor()
	for key, value := cursor.Seek(positionKey(after + 1)); key != nil; key, value = cursor.Next() {
		if err := visit(journalBucket, key, value, keyPosition(key)); err != nil {
			return err
		}
	}
	return nil
}

// resolve fills in the payload that a step leaves to the record it names.
func resolve(tx *bolt.Tx, s *mesh.Step) (err error) {
	if s.Event.Payload != nil || s.Control.Signal != 0 {
		return nil
	}
	if s.At != 0 {
		s.Event.Payload, err = payloadOf(tx, s.At)
		return err
	}
	if s.Given == 0 {
		return nil
	}
	g, err := findGiven(tx, ownerOf(s.Daemon), s.Given)
	if err != nil {
		return err
	}
	s.Event.Payload = g.Event.Payload
	if g.Event.Payload == nil && g.At != 0 {
		s.Event.Payload, err = payloadOf(tx, g.At)
	}
	return err
}

func payloadOf(tx *bolt.Tx, p mesh.Position) ([]byte, error) {
	o, err := findOut(tx, p)
	return o.Payload, err
}

func findGiven(tx *bolt.Tx, owner uint64, p mesh.Position) (mesh.Given, error) {
	key, bucket := positionKey(p), journalBucket
	value := tx.Bucket([]byte(journalBucket)).Get(key)
	if value == nil {
		key, bucket = keptKey(owner, p), keptBucket
		value = tx.Bucket([]byte(keptBucket)).Get(key)
	}
	if value == nil {
		return mesh.Given{}, fmt.Errorf("given input %d is missing: %w", p, errDamaged)
	}
	r, err := parseRecord(value, bucket, key)
	if err != nil {
		return mesh.Given{}, err
	}
	if r.kind != givenRecord {
		return mesh.Given{}, fmt.Errorf("record %d is no given input: %w", p, errDamaged)
	}
	return mesh.ParseGiven(r.body)
}

// Forget drops all that is kept of a daemon but its outputs on their way to the broker. A daemon of the same name
// begins anew.
func (s *Store) Forget(id mesh.DaemonID) error {
	return s.do(func(c *change) error {
		b := c.books
		a := b.daemons[id]
		if a == nil {
			return nil
		}
		snapshots := c.bucket(snapshotsBucket)
		for _, k := range a.snapshots {
			b.snapshots -= k.size
			b.counts.snapshots--
			c.totals = true
			if k.beside {
				c.remove = append(c.remove, c.besidePath(id, k.serial))
			}
		}
		if err := snapshots.DeleteBucket([]byte(id)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
			return fmt.Errorf("forget %s: %w", id, err)
		}
		for p, by := range b.open {
			if by == a {
				b.closed(p)
			}
		}
		a.head, a.last, a.floor, a.born, a.snapshots, a.forgotten = mesh.Head{}, 0, b.last, b.last, nil, true
		c.budget += a.aside
		c.touch(a)
		return nil
	})
}
