package persist

import (
	"os"
	"slices"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// Stats is what the store did since Open and what it holds.
type Stats struct {
	Commits    uint64 // transactions
	Groups     uint64 // groups and small writes in them
	Steps      uint64
	Written    uint64 // bytes of pages handed to the system
	Failures   uint64
	Alarms     uint64
	Dropped    uint64        // rows of the outbox that were given up
	CommitTime time.Duration // in all
	Slowest    time.Duration // commit
	Failed     error         // why nothing is written, nil in health

	Journal, JournalLimit     int64 // bytes, with what was moved aside
	Outbox, OutboxLimit       int64
	Snapshots, SnapshotsLimit int64
	Rows, Poison              int
	OldestRow                 time.Duration // how long the oldest row has waited while the store ran
	File                      int64         // bytes
}

// Stats may be called from anywhere.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	if stats.Rows > 0 {
		stats.OldestRow = s.age() - s.oldestRow
	}
	s.mu.Unlock()
	s.file.RLock()
	defer s.file.RUnlock()
	if s.db != nil {
		tx := s.db.Stats().TxStats
		stats.Written += uint64(tx.GetPageAlloc()) + stats.Commits*uint64(s.db.Info().PageSize)
	}
	if info, err := os.Stat(s.path()); err == nil {
		stats.File = info.Size()
	}
	return stats
}

// Oldest names the daemons that should be snapshotted to let the journal advance: none below half of its limit.
func (s *Store) Oldest() []mesh.DaemonID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.oldest)
}

// usage brings the held amounts into the stats; s.mu is held.
func (s *Store) usage() {
	b, limits := s.books, s.opts.Limits
	s.stats.Journal, s.stats.JournalLimit = b.journal+b.kept, limits.Journal
	s.stats.Outbox, s.stats.OutboxLimit = b.outbox, limits.Outbox
	s.stats.Snapshots, s.stats.SnapshotsLimit = b.snapshots, limits.Snapshots
	s.stats.Rows, s.stats.Poison = b.counts.rows, b.counts.poison
	s.oldestRow = b.oldestRow
	s.oldest = nil
	if s.stats.Journal > limits.Journal/2 {
		s.oldest = b.oldest()
	}
}

// note lets readers know what of a daemon waits; s.mu is held.
func (s *Store) note(a *account) {
	delete(s.waiting, a.id)
	delete(s.given, a.id)
	if a.rows > 0 {
		s.waiting[a.id] = a.rows
	}
	if a.given > 0 {
		s.given[a.id] = true
	}
}
