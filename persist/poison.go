package persist

import (
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/edge-agent/edge-agent/mesh"
)

// Poison is an event that was set aside because it kills its daemon.
type Poison struct {
	Position mesh.Position // of the step that set it aside
	Daemon   mesh.DaemonID
	Event    mesh.Event
	Written  time.Time
}

// poisoned copies a step's input, with its payload, to the poison list.
func (c *change) poisoned(s *mesh.Step) error {
	whole := *s
	if err := resolve(c.tx, &whole); err != nil {
		c.alarm(DamagedRecord, s.Daemon, "poison event %d: %v", s.Position, err)
	}
	key := positionKey(s.Position)
	body := mesh.AppendStep(binary.LittleEndian.AppendUint64(nil, uint64(c.wall)), &whole)
	r := record{kind: poisonRecord, owner: ownerOf(s.Daemon), epoch: s.Epoch, sequence: uint64(s.Position), body: body}
	raw := appendRecord(nil, poisonBucket, key, r)
	bucket := c.bucket(poisonBucket)
	for c.books.poison+entry(key, raw) > c.opts.Limits.Poison && c.books.counts.poison > 0 {
		oldest, value := bucket.Cursor().First()
		c.alarm(Refused, s.Daemon, "poison list is full: the event at %d is dropped", keyPosition(oldest))
		if err := c.dropPoison(bucket, oldest, value); err != nil {
			return err
		}
	}
	c.books.counts.poison++
	c.books.poison += entry(key, raw)
	c.totals = true
	return bucket.Put(key, raw)
}

func (c *change) dropPoison(bucket *bolt.Bucket, key, value []byte) error {
	c.books.counts.poison--
	c.books.poison -= entry(key, value)
	c.totals = true
	if err := bucket.Delete(key); err != nil {
		return fmt.Errorf("drop poison: %w", err)
	}
	return nil
}

func parsePoison(key, value []byte) (Poison, error) {
	r, err := parseRecord(value, poisonBucket, key)
	if err != nil {
		return Poison{}, err
	}
	if r.kind != poisonRecord || len(r.body) < 8 {
		return Poison{}, fmt.Errorf("poison %x: %w", key, errDamaged)
	}
	step, err := mesh.ParseStep(r.body[8:])
	return Poison{
		Position: step.Position, Daemon: step.Daemon, Event: step.Event,
		Written: time.Unix(0, int64(binary.LittleEndian.Uint64(r.body))),
	}, err
}

// Poison lists the events that were set aside, oldest first.
func (s *Store) Poison() ([]Poison, error) {
	var list []Poison
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(poisonBucket)).ForEach(func(key, value []byte) error {
			p, err := parsePoison(key, value)
			if err != nil {
				s.alarm(DamagedRecord, "", "poison: %v", err)
				return nil
			}
			list = append(list, p)
			return nil
		})
	})
	return list, err
}

// DeletePoison takes an event off the list; that it is not there is no error.
func (s *Store) DeletePoison(p mesh.Position) error {
	return s.do(func(c *change) error {
		bucket, key := c.bucket(poisonBucket), positionKey(p)
		if value := bucket.Get(key); value != nil {
			return c.dropPoison(bucket, key, value)
		}
		return nil
	})
}
