package persist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/edge-agent/edge-agent/mesh"
)

// settle is how long rows that were sent may wait to be deleted with other writes.
const settle = time.Second

// Store is one node's durable memory. Open gives it, Run lets it write, Close ends it. Reads go on from any goroutine.
type Store struct {
	dir  string
	opts Options
	held *os.File

	file sync.RWMutex // held for writing only while db is exchanged
	db   *bolt.DB

	wake chan struct{}

	mu      sync.Mutex // guards what follows
	queue   []work
	due     time.Time // when queue must be written; zero at once
	sent    []Cursor
	sentAt  time.Time
	reopen  chan<- error
	stopped bool
	alarms  []Alarm
	stats   Stats
	oldest  []mesh.DaemonID
	waiting map[mesh.DaemonID]int  // rows in the outbox
	given   map[mesh.DaemonID]bool // daemons with given inputs that wait; nil in a store that only reads
	// How long the store had run when the file was read, when that was, and when the oldest row was written.
	aged, oldestRow time.Duration
	opened          time.Time

	// The committer alone touches these.
	books  *books
	failed error
	arena  []byte
	spare  []work
	faults int
	clean  bool // nothing was written since the file was found or left clean
}

// work is a group or a small write that waits for the committer.
type work struct {
	group *mesh.Group
	write func(*change) error
	done  func(error)
}

func (w work) finish(err error) {
	switch {
	case w.group == nil:
		w.done(err)
	case w.group.Done != nil:
		w.group.Done(err)
	}
}

// Commit hands a group to the committer and returns at once; the group belongs to the store until its Done is called.
func (s *Store) Commit(g *mesh.Group) {
	if !s.enqueue(work{group: g}, g.Window) && g.Done != nil {
		g.Done(ErrClosed)
	}
}

// do waits until a small write is durable. It starts to move only when Run does.
func (s *Store) do(write func(*change) error) error {
	result := make(chan error, 1)
	if !s.enqueue(work{write: write, done: func(err error) { result <- err }}, 0) {
		return ErrClosed
	}
	return <-result
}

func (s *Store) enqueue(w work, window time.Duration) bool {
	s.mu.Lock()
	if s.stopped || s.opts.ReadOnly {
		s.mu.Unlock()
		return false
	}
	var due time.Time
	if window > 0 {
		due = time.Now().Add(window)
	}
	if len(s.queue) == 0 || due.Before(s.due) {
		s.due = due
	}
	s.queue = append(s.queue, w)
	s.mu.Unlock()
	s.nudge()
	return true
}

func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes what is handed to the store until the context ends, and then what is still waiting. It runs once.
func (s *Store) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		batch, sent, wait := s.take(false)
		if len(batch) > 0 || len(sent) > 0 {
			s.write(batch, sent)
			continue
		}
		if s.reopenIfAsked(ctx) {
			continue
		}
		timer.Reset(wait)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
			return s.finish()
		}
	}
}

func (s *Store) finish() error {
	s.mu.Lock()
	s.stopped = true
	answer := s.reopen
	s.reopen = nil
	s.mu.Unlock()
	if batch, sent, _ := s.take(true); len(batch) > 0 || len(sent) > 0 {
		s.write(batch, sent)
	}
	if answer != nil {
		answer <- ErrClosed
	}
	return nil
}

// take returns what must be written now, or how long to wait for it.
func (s *Store) take(all bool) (batch []work, sent []Cursor, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := time.Now(), time.Hour
	ready := all
	if len(s.queue) > 0 {
		ready = ready || !s.due.After(now)
		wait = min(wait, s.due.Sub(now))
	}
	if len(s.sent) > 0 {
		left := settle - now.Sub(s.sentAt)
		ready = ready || left <= 0
		wait = min(wait, left)
	}
	if !ready {
		return nil, nil, max(wait, 0)
	}
	batch, sent = s.queue, s.sent
	s.queue, s.spare, s.sent = s.spare[:0], nil, nil
	return batch, sent, 0
}

// write commits a batch in one transaction and answers everyone in it.
func (s *Store) write(batch []work, sent []Cursor) {
	if s.failed == nil {
		if err := s.commit(batch, sent); err != nil {
			s.failed = fmt.Errorf("write %s: %w", s.path(), err)
			s.opts.Log.Error("store failed", "error", s.failed)
			s.mu.Lock()
			s.stats.Failures++
			s.stats.Failed = s.failed
			s.mu.Unlock()
		}
	}
	for i, w := range batch {
		batch[i] = work{}
		w.finish(s.failed)
	}
	s.spare = batch
}

// Reopen closes the file and reads it again after a failure, so that what it holds is known. Groups that waited have
// been answered with the failure before it returns. Nothing may be committed from the failure until then.
func (s *Store) Reopen(ctx context.Context) error {
	answer := make(chan error, 1)
	s.mu.Lock()
	if s.stopped || s.opts.ReadOnly {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.reopen != nil {
		s.mu.Unlock()
		return fmt.Errorf("reopen %s: another is under way", s.path())
	}
	s.reopen = answer
	s.mu.Unlock()
	s.nudge()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) reopenIfAsked(ctx context.Context) bool {
	s.mu.Lock()
	answer := s.reopen
	s.reopen = nil
	s.mu.Unlock()
	if answer == nil {
		return false
	}
	batch, sent, _ := s.take(true)
	s.write(batch, sent)
	err := s.exchange(ctx)
	if err != nil {
		s.failed = err
	} else {
		s.failed = nil
	}
	s.mu.Lock()
	s.stats.Failed = s.failed
	s.mu.Unlock()
	answer <- err
	return true
}

// exchange puts a freshly read file in the place of the one that failed.
func (s *Store) exchange(ctx context.Context) error {
	s.file.Lock()
	defer s.file.Unlock()
	if s.db != nil {
		if err := s.db.Close(); err != nil {
			s.opts.Log.Warn("close failed store", "error", err)
		}
		s.db = nil
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	if errors.Is(s.failed, berrors.ErrMaxSizeReached) {
		return s.compact() // what is free is in too small pieces
	}
	return s.prove()
}

// prove writes and syncs a transaction that changes nothing: a file that can be read may be one that cannot be written.
func (s *Store) prove() error {
	if err := s.soil(); err != nil {
		return err
	}
	return s.db.Update(func(*bolt.Tx) error { return nil })
}

// Close leaves the file clean and gives the directory back. Run must have returned.
func (s *Store) Close() error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.file.Lock()
	defer s.file.Unlock()
	if s.held == nil {
		return nil
	}
	var err error
	if s.db != nil {
		err = s.db.Close()
		s.db = nil
		if err == nil && s.failed == nil && !s.opts.ReadOnly {
			err = s.markClean()
		}
	}
	if closed := s.held.Close(); err == nil {
		err = closed
	}
	s.held = nil
	if err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// view reads a consistent state of the file.
func (s *Store) view(read func(*bolt.Tx) error) error {
	s.file.RLock()
	defer s.file.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	return s.db.View(read)
}

func (s *Store) alarm(kind AlarmKind, daemon mesh.DaemonID, format string, args ...any) {
	s.raise(s.newAlarm(kind, daemon, format, args...))
}

func (s *Store) newAlarm(kind AlarmKind, daemon mesh.DaemonID, format string, args ...any) Alarm {
	return Alarm{Time: s.opts.Clock(), Kind: kind, Daemon: daemon, Text: fmt.Sprintf(format, args...)}
}

// raise tells an alarm once: what is damaged is met again and again.
func (s *Store) raise(a Alarm) {
	same := func(b Alarm) bool { return a.Kind == b.Kind && a.Daemon == b.Daemon && a.Text == b.Text }
	s.mu.Lock()
	if slices.ContainsFunc(s.alarms, same) {
		s.mu.Unlock()
		return
	}
	if len(s.alarms) >= maxAlarms {
		s.alarms = append(s.alarms[:0], s.alarms[1:]...)
	}
	s.alarms = append(s.alarms, a)
	s.stats.Alarms++
	s.mu.Unlock()
	s.opts.Log.Warn("store alarm", "kind", a.Kind, "daemon", a.Daemon, "text", a.Text)
	s.opts.Alarm(a)
}

const maxAlarms = 100

// Alarms are the newest ones since Open, oldest first.
func (s *Store) Alarms() []Alarm {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.alarms)
}

// fault asks the rig whether the next step of a write shall fail.
func (s *Store) fault(op string) error {
	s.faults++
	return s.opts.Fault(op, s.faults)
}
