package persist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Schema is the version of the file's layout.
const Schema = 1

const (
	fileName  = "state.db"
	cleanName = "state.clean"
	pageSize  = 4096 // everywhere: larger pages of a machine would only make every commit larger
	growths   = 128  // the file grows by this part of its limit
	slack     = 16 << 20
)

// Open takes the state directory and reads its file, which it creates when there is none. A directory that another
// process holds is a LockedError, a file of a newer agent a SchemaError.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, opts: o.withDefaults(), wake: make(chan struct{}, 1)}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	held, err := lock(dir, o.ReadOnly)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.held = held
	if err := s.load(context.Background()); err != nil {
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		return nil, errors.Join(fmt.Errorf("open store: %w", err), held.Close())
	}
	return s, nil
}

func (s *Store) path() string      { return filepath.Join(s.dir, fileName) }
func (s *Store) cleanPath() string { return filepath.Join(s.dir, cleanName) }

// load opens the file behind whatever checks its last end asks for, and builds the books.
func (s *Store) load(ctx context.Context) error {
	_, err := os.Stat(s.path())
	switch {
	case s.opts.ReadOnly:
		if err != nil {
			return err
		}
		if !s.wasClean() && len(s.opts.Check) > 0 {
			if text, err := s.child(ctx, "check", s.path()); err != nil {
				return fmt.Errorf("%s: %s: %w", s.path(), text, ErrDamaged)
			}
		}
		return s.open()
	case errors.Is(err, os.ErrNotExist):
		if err := s.create(); err != nil {
			return fmt.Errorf("create %s: %w", s.path(), err)
		}
	case err != nil:
		return err
	}
	if s.clean = s.wasClean(); !s.clean {
		if err := s.check(ctx); err != nil {
			return err
		}
	}
	if err := s.open(); err != nil {
		if !damaged(err) {
			return err
		}
		if err := s.replaceDamaged(ctx, err.Error()); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return err
		}
	}
	return s.compactIfLoose()
}

// create makes an empty file whole under another name first: a power cut while bbolt writes its first pages would
// leave one that cannot be opened.
func (s *Store) create() error {
	temp := s.path() + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := s.bolt(temp)
	if err != nil {
		return err
	}
	err = db.Update(putSchema)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// Whoever made the directory, its own name must be on disk before there is anything in it to lose.
	if err := syncDir(filepath.Dir(s.dir)); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return s.putInPlace(temp)
}

// putSchema makes the buckets and says which layout they have.
func putSchema(tx *bolt.Tx) error {
	if err := makeBuckets(tx); err != nil {
		return err
	}
	r := record{kind: schemaRecord, body: binary.LittleEndian.AppendUint32(nil, Schema)}
	return tx.Bucket([]byte(metaBucket)).Put(schemaKey, appendRecord(nil, metaBucket, schemaKey, r))
}

// putInPlace makes a finished file the store's.
func (s *Store) putInPlace(temp string) error {
	f, err := os.Open(temp)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, s.path()); err != nil {
		return err
	}
	return syncDir(s.dir)
}

func (s *Store) bolt(path string) (*bolt.DB, error) {
	o := &bolt.Options{
		Timeout: time.Second, FreelistType: bolt.FreelistMapType, NoFreelistSync: true, PageSize: pageSize,
		InitialMmapSize: int(s.opts.Limits.File), MaxSize: int(s.opts.Limits.File), ReadOnly: s.opts.ReadOnly,
	}
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.AllocSize = int(s.opts.Limits.File / growths)
	return db, nil
}

// open opens the file, refuses a newer schema and reads everything once.
func (s *Store) open() (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			err = fmt.Errorf("open %s: file gave way: %v: %w", s.path(), p, errDamaged)
		}
		if err != nil && s.db != nil {
			err = errors.Join(err, s.db.Close())
			s.db = nil
		}
	}()
	if s.db, err = s.bolt(s.path()); err != nil {
		return err
	}
	if err := s.checkSchema(s.db); err != nil || s.opts.ReadOnly {
		return err
	}
	return s.readBooks()
}

// damaged reports whether an error of opening says that the file itself is bad: neither the system nor another
// process nor a newer agent stood in the way.
func damaged(err error) bool {
	var system syscall.Errno
	var newer *SchemaError
	return err != nil && !errors.As(err, &system) && !errors.As(err, &newer) && !errors.Is(err, berrors.ErrTimeout)
}

// age is how long the store has run in all; unlike the wall clock it never jumps.
func (s *Store) age() time.Duration { return s.aged + time.Since(s.opened) }

func (s *Store) checkSchema(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte(metaBucket))
		if bucket == nil {
			return fmt.Errorf("%s: no schema: %w", s.path(), errDamaged)
		}
		r, err := parseRecord(bucket.Get(schemaKey), metaBucket, schemaKey)
		if err != nil {
			return err
		}
		if r.kind != schemaRecord || len(r.body) < 4 {
			return fmt.Errorf("%s: schema of %d bytes: %w", s.path(), len(r.body), errDamaged)
		}
		if have := binary.LittleEndian.Uint32(r.body); have > Schema {
			return &SchemaError{Path: s.path(), Have: have, Want: Schema}
		}
		for _, name := range bucketNames {
			if tx.Bucket([]byte(name)) == nil {
				return fmt.Errorf("%s: bucket %s is missing: %w", s.path(), name, errDamaged)
			}
		}
		return nil
	})
}

// markClean notes the size and sum of a file that was closed in order.
func (s *Store) markClean() error {
	sum, size, err := sumFile(s.path())
	if err != nil {
		return err
	}
	return replaceFile(s.cleanPath(), fmt.Appendf(nil, "%d %08x\n", size, sum), func(string) error { return nil })
}

// wasClean reports whether the file is byte for byte what an orderly close left.
func (s *Store) wasClean() bool {
	note, err := os.ReadFile(s.cleanPath())
	if err != nil {
		return false
	}
	sum, size, err := sumFile(s.path())
	return err == nil && string(note) == fmt.Sprintf("%d %08x\n", size, sum)
}

// soil takes the note of an orderly close away before the first write.
func (s *Store) soil() error {
	if !s.clean {
		return nil
	}
	if err := os.Remove(s.cleanPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	s.clean = false
	return nil
}

func sumFile(path string) (sum uint32, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	hash := crc32.New(castagnoli)
	size, err = io.Copy(hash, f)
	return hash.Sum32(), size, err
}

// compactIfLoose writes a file that is mostly free space anew.
func (s *Store) compactIfLoose() error {
	if s.opts.ReadOnly {
		return nil
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	size := tx.Size()
	if err := tx.Rollback(); err != nil {
		return err
	}
	free := int64(s.db.Stats().FreePageN) * int64(s.db.Info().PageSize)
	if free <= slack || free <= size/2 {
		return nil
	}
	return s.compact()
}

func (s *Store) compact() error {
	if err := s.soil(); err != nil {
		return err
	}
	temp := s.path() + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh, err := s.bolt(temp)
	if err != nil {
		return err
	}
	err = bolt.Compact(fresh, s.db, 1<<20)
	if err := errors.Join(err, fresh.Close()); err != nil {
		// A file that cannot be compacted, as on a full disk, is still a good file.
		s.opts.Log.Warn("compact store", "error", err)
		return os.Remove(temp)
	}
	if err := s.db.Close(); err != nil {
		return err
	}
	s.db = nil
	if err := s.putInPlace(temp); err != nil {
		return err
	}
	s.db, err = s.bolt(s.path())
	return err
}
