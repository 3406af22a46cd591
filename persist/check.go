package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Exit codes of the child process; one that crashed or was killed found damage too.
const (
	checkGood    = 0
	checkFailed  = 1
	checkDamaged = 3
)

// CheckMain is the work of the child process that Options.Check names, and returns its exit code. A damaged file can
// crash or hang whoever reads it, so that a store lets another process try first.
//
//	check FILE           reads the whole structure
//	rescue FILE TARGET   copies what can be read into a new file
func CheckMain(args []string) int {
	err := fmt.Errorf("want check FILE or rescue FILE TARGET, not %q", args)
	switch {
	case len(args) == 2 && args[0] == "check":
		err = checkFile(args[1])
	case len(args) == 3 && args[0] == "rescue":
		err = rescueFile(args[1], args[2])
	}
	if err == nil {
		return checkGood
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errDamaged) {
		return checkDamaged
	}
	return checkFailed
}

func openDamaged(path string) (*bolt.DB, error) {
	return bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true, FreelistType: bolt.FreelistMapType})
}

// gaveWay turns the faults of reading a damaged file into an error.
func gaveWay(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("file gave way: %v: %w", p, errDamaged)
	}
}

func checkFile(path string) (err error) {
	debug.SetPanicOnFault(true)
	defer gaveWay(&err)
	db, err := openDamaged(path)
	if damaged(err) {
		return fmt.Errorf("open: %w: %w", err, errDamaged)
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		for problem := range tx.Check() {
			err = errors.Join(err, problem)
		}
		if err != nil {
			return fmt.Errorf("structure of %s: %v: %w", path, err, errDamaged)
		}
		return readable(tx)
	})
}

// readable walks every key, which must ascend, and touches every value: a size that a page tells wrong leads out of
// the file. What the values hold is judged by the store itself, record by record.
func readable(tx *bolt.Tx) error {
	return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
		if string(name) == snapshotsBucket {
			return bucket.ForEachBucket(func(id []byte) error { return readableKeys(bucket.Bucket(id), id) })
		}
		return readableKeys(bucket, name)
	})
}

func readableKeys(bucket *bolt.Bucket, name []byte) error {
	var last []byte
	return bucket.ForEach(func(key, value []byte) error {
		if last != nil && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("keys of %q are out of order: %w", name, errDamaged)
		}
		crc32.Update(0, castagnoli, value)
		last = key
		return nil
	})
}

// rescueFile copies bucket after bucket, the most precious first, committing often: what is copied stays when the
// process dies over the rest.
func rescueFile(from, to string) error {
	debug.SetPanicOnFault(true)
	target, err := bolt.Open(to, 0o600, &bolt.Options{Timeout: time.Second, NoFreelistSync: true, PageSize: pageSize})
	if err != nil {
		return err
	}
	if err := target.Update(makeBuckets); err != nil {
		return errors.Join(err, target.Close())
	}
	source, err := openDamaged(from)
	if err != nil {
		return errors.Join(err, target.Close())
	}
	for _, name := range bucketNames {
		if err := rescueBucket(source, target, []byte(name)); err != nil {
			fmt.Fprintf(os.Stderr, "bucket %s: %v\n", name, err)
		}
	}
	return target.Close()
}

func rescueBucket(source, target *bolt.DB, name []byte) (err error) {
	defer gaveWay(&err)
	return source.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(name)
		if bucket == nil {
			return nil
		}
		if string(name) == snapshotsBucket {
			return bucket.ForEachBucket(func(id []byte) error {
				return rescueKeys(bucket.Bucket(id), target, name, id)
			})
		}
		return rescueKeys(bucket, target, name, nil)
	})
}

func rescueKeys(from *bolt.Bucket, target *bolt.DB, name, nested []byte) error {
	cursor := from.Cursor()
	key, value := cursor.First()
	for key != nil {
		err := target.Update(func(tx *bolt.Tx) (err error) {
			to := tx.Bucket(name)
			if nested != nil {
				if to, err = to.CreateBucketIfNotExists(nested); err != nil {
					return err
				}
			}
			for range rescueBatch {
				if key == nil {
					return nil
				}
				sum := key
				if nested != nil {
					sum = append(append(bytes.Clone(nested), 0), key...)
				}
				if _, bad := parseRecord(value, string(name), sum); bad == nil {
					if err := to.Put(key, value); err != nil {
						return err
					}
				}
				key, value = cursor.Next()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const rescueBatch = 256

// check reads a file that was not closed in order in a child process; a damaged one is replaced.
func (s *Store) check(ctx context.Context) error {
	if len(s.opts.Check) == 0 {
		return nil
	}
	text, err := s.child(ctx, "check", s.path())
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() == checkFailed {
		return fmt.Errorf("check %s: %s", s.path(), text)
	}
	return s.replaceDamaged(ctx, text)
}

// child runs the check command and returns what it said.
func (s *Store) child(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.CheckTimeout)
	defer cancel()
	command := append(slices.Clone(s.opts.Check), args...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &tail{&said}
	err := cmd.Run()
	text := fmt.Sprintf("%v: %s", err, bytes.TrimSpace(said.Bytes()))
	return text, err
}

// tail keeps the first few lines of what a child says.
type tail struct{ *bytes.Buffer }

func (t *tail) Write(b []byte) (int, error) {
	if room := 2048 - t.Len(); room > 0 {
		t.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// replaceDamaged sets the file aside and puts what can be rescued of it, or an empty one, in its place.
func (s *Store) replaceDamaged(ctx context.Context, why string) error {
	aside := fmt.Sprintf("%s.damaged-%s", s.path(), s.opts.Clock().UTC().Format("20060102T150405.000000000"))
	if err := os.Rename(s.path(), aside); err != nil {
		return fmt.Errorf("set damaged file aside: %w", err)
	}
	if err := os.Remove(s.cleanPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.clean = false
	s.alarm(DamagedFile, "", "kept as %s; the store starts from what can be read: %s", aside, why)
	if err := keepNewest(s.path()+".damaged-*", s.opts.Limits.Damaged); err != nil {
		s.opts.Log.Warn("remove old damaged file", "error", err)
	}
	if len(s.opts.Check) > 0 {
		if err := s.rescue(ctx, aside); err == nil {
			return nil
		} else if ctx.Err() != nil {
			return ctx.Err()
		} else {
			s.alarm(DamagedFile, "", "nothing could be rescued: %v", err)
		}
	}
	if err := s.create(); err != nil {
		return fmt.Errorf("create %s: %w", s.path(), err)
	}
	return nil
}

func (s *Store) rescue(ctx context.Context, aside string) error {
	temp := s.path() + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if text, err := s.child(ctx, "rescue", aside, temp); err != nil {
		s.alarm(DamagedFile, "", "rescue ended early: %s", text)
	}
	if _, err := s.child(ctx, "check", temp); err != nil {
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
	return s.putInPlace(temp)
}

// keepNewest bounds the number of files that match a pattern.
func keepNewest(pattern string, keep int) error {
	old, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	slices.Sort(old)
	for ; len(old) > keep; old = old[1:] {
		err = errors.Join(err, os.Remove(old[0]))
	}
	return err
}
