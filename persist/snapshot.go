package persist

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/edge-agent/edge-agent/mesh"
)

// keptSnapshots is how many snapshots of a daemon are kept: the older one stands in when the newer is damaged.
const keptSnapshots = 2

const besideDir = "snapshots"

// snapshot writes a snapshot behind the ones there are and raises the daemon's floor to the oldest that is kept.
func (c *change) snapshot(s *mesh.Snapshot) error {
	a := c.books.account(s.Daemon)
	bucket, err := c.bucket(snapshotsBucket).CreateBucketIfNotExists([]byte(s.Daemon))
	if err != nil {
		return fmt.Errorf("snapshot of %s: %w", s.Daemon, err)
	}
	body := mesh.AppendSnapshot(nil, s)
	size := int64(len(body))
	if room := c.opts.Limits.Snapshots - c.books.snapshots + outgoing(a); size > room {
		c.alarm(Refused, s.Daemon, "snapshot of %d bytes: %d of %d left", size, room, c.opts.Limits.Snapshots)
		return nil
	}
	serial, err := bucket.NextSequence()
	if err != nil {
		return fmt.Errorf("snapshot of %s: %w", s.Daemon, err)
	}
	r := record{kind: snapshotRecord, owner: a.owner, epoch: s.Head.Epoch, sequence: uint64(s.Position), body: body}
	beside := len(body) > c.opts.Limits.SnapshotValue
	if beside {
		if err := c.writeBeside(s.Daemon, serial, body); err != nil {
			return fmt.Errorf("snapshot of %s: %w", s.Daemon, err)
		}
		sum := sha256.Sum256(body)
		r.kind, r.body = snapshotFileRecord, binary.LittleEndian.AppendUint64(sum[:], uint64(size))
	}
	key := positionKey(mesh.Position(serial))
	if err := bucket.Put(key, appendRecord(nil, snapshotsBucket, snapshotSumKey(s.Daemon, key), r)); err != nil {
		return fmt.Errorf("snapshot of %s: %w", s.Daemon, err)
	}
	a.snapshots = append(a.snapshots, kept{serial: serial, position: s.Position, size: size, beside: beside})
	c.books.snapshots += size
	c.books.counts.snapshots++
	c.totals = true
	if s.Position >= a.last {
		a.head = s.Head
	}
	a.forgotten = false
	for len(a.snapshots) > keptSnapshots {
		if err := c.dropSnapshot(a, bucket); err != nil {
			return err
		}
	}
	if len(a.snapshots) == keptSnapshots {
		a.floor = max(a.floor, a.snapshots[0].position)
	}
	c.touch(a)
	return nil
}

// outgoing is the size of what the next snapshot of a daemon pushes out.
func outgoing(a *account) int64 {
	if len(a.snapshots) < keptSnapshots {
		return 0
	}
	return a.snapshots[0].size
}

func (c *change) dropSnapshot(a *account, bucket *bolt.Bucket) error {
	old := a.snapshots[0]
	a.snapshots = a.snapshots[1:]
	c.books.snapshots -= old.size
	c.books.counts.snapshots--
	if old.beside {
		c.remove = append(c.remove, c.besidePath(a.id, old.serial))
	}
	if err := bucket.Delete(positionKey(mesh.Position(old.serial))); err != nil {
		return fmt.Errorf("drop snapshot of %s: %w", a.id, err)
	}
	return nil
}

// snapshotSumKey is the key that a snapshot's CRC covers: its daemon and its serial.
func snapshotSumKey(id mesh.DaemonID, key []byte) []byte {
	return append(append([]byte(id), 0), key...)
}

func (s *Store) besidePath(id mesh.DaemonID, serial uint64) string {
	return filepath.Join(s.dir, besideDir, fmt.Sprintf("%s.%d", id, serial))
}

// writeBeside makes a large snapshot durable in a file of its own, before the transaction that names it.
func (s *Store) writeBeside(id mesh.DaemonID, serial uint64, body []byte) error {
	path := s.besidePath(id, serial)
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return replaceFile(path, body, s.fault)
}

// makeDir makes a directory durable where there is none.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replaceFile puts content under a name so that a power cut leaves the old file, or none, or the new one.
func replaceFile(path string, content []byte, fault func(op string) error) (err error) {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	if err = fault("file write"); err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = fault("file sync")
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = fault("file rename")
	}
	if err != nil {
		return err
	}
	if err = os.Rename(temp, path); err != nil {
		return err
	}
	return errors.Join(fault("directory sync"), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Load returns the newest good snapshot of a daemon, false when there is none.
func (s *Store) Load(id mesh.DaemonID) (snap mesh.Snapshot, ok bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte(snapshotsBucket)).Bucket([]byte(id))
		if bucket == nil {
			return nil
		}
		cursor := bucket.Cursor()
		for key, value := cursor.Last(); key != nil; key, value = cursor.Prev() {
			found, err := s.readSnapshot(id, key, value)
			if err != nil {
				s.alarm(DamagedRecord, id, "snapshot: %v", err)
				continue
			}
			snap, ok = found, true
			return nil
		}
		return nil
	})
	return snap, ok, err
}

func (s *Store) readSnapshot(id mesh.DaemonID, key, value []byte) (mesh.Snapshot, error) {
	body, err := s.snapshotBody(id, key, value)
	if err != nil {
		return mesh.Snapshot{}, err
	}
	snap, err := mesh.ParseSnapshot(body)
	if err == nil && snap.Daemon != id {
		err = fmt.Errorf("snapshot of %s under %s: %w", snap.Daemon, id, errDamaged)
	}
	return snap, err
}

func (s *Store) snapshotBody(id mesh.DaemonID, key, value []byte) ([]byte, error) {
	r, err := parseRecord(value, snapshotsBucket, snapshotSumKey(id, key))
	switch {
	case err != nil:
		return nil, err
	case r.kind == snapshotRecord:
		return r.body, nil
	case r.kind != snapshotFileRecord || len(r.body) != sha256.Size+8:
		return nil, fmt.Errorf("snapshot %x: %w", key, errDamaged)
	}
	path := s.besidePath(id, uint64(keyPosition(key)))
	body, err := readFile(path, int64(binary.LittleEndian.Uint64(r.body[sha256.Size:])))
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(body) != [sha256.Size]byte(r.body) {
		return nil, fmt.Errorf("%s is not what was written: %w", path, errDamaged)
	}
	return body, nil
}

// tidyBeside removes what a crash left of snapshot files, and puts damaged ones away as evidence.
func (s *Store) tidyBeside(bad []evidence) error {
	dir := filepath.Join(s.dir, besideDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	good := make(map[string]bool)
	for _, a := range s.books.daemons {
		for _, k := range a.snapshots {
			good[filepath.Base(s.besidePath(a.id, k.serial))] = k.beside
		}
	}
	hurt := make(map[string]bool)
	for _, e := range bad {
		if name, id, ok := bytes.Cut(e.bucket, []byte{0}); ok && string(name) == snapshotsBucket {
			hurt[filepath.Base(s.besidePath(mesh.DaemonID(id), uint64(keyPosition(e.key))))] = true
		}
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() || good[e.Name()]:
		case hurt[e.Name()]:
			err = errors.Join(err, makeDir(filepath.Join(dir, "damaged")),
				os.Rename(path, filepath.Join(dir, "damaged", e.Name())))
		default:
			err = errors.Join(err, os.Remove(path))
		}
	}
	return errors.Join(err, keepNewest(filepath.Join(dir, "damaged", "*"), s.opts.Limits.Damaged))
}

// readFile reads a file that must have a certain size.
func readFile(path string, size int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() != size {
		return nil, fmt.Errorf("%s has %d bytes of %d: %w", path, info.Size(), size, errDamaged)
	}
	return os.ReadFile(path)
}
