package persist

import (
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
	File                      int64
}

// Stats may be called from anywhere.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	s.mu.Unlock()
	s.file.RLock()
	defer s.file.RUnlock()
	if s.db != nil {
		tx := s.db.Stats().TxStats
		stats.Written += uint64(tx.GetPageAlloc()) + stats.Commits*uint64(s.db.Info().PageSize)
	}
	return stats
}

// Oldest names the daemons that should be snapshotted to let the journal advance: none below half of its limit.
func (s *Store) Oldest() []mesh.DaemonID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]mesh.DaemonID(nil), s.oldest...)
}

// usage brings the held amounts into the stats; s.mu is held.
func (s *Store) usage() {
	b, limits := s.books, s.opts.Limits
	s.stats.Journal, s.stats.JournalLimit = b.journal+b.kept, limits.Journal
	s.stats.Outbox, s.stats.OutboxLimit = b.outbox, limits.Outbox
	s.stats.Snapshots, s.stats.SnapshotsLimit = b.snapshots, limits.Snapshots
	s.stats.Rows, s.stats.Poison = b.counts.rows, b.counts.poison
}
