package persist

import (
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

// The buckets of the file.
const (
	metaBucket       = "meta"       // schema
	headsBucket      = "heads"      // daemon -> head; totals
	journalBucket    = "journal"    // position -> step, output or given input
	keptBucket       = "kept"       // owner, position -> step or given input moved out of the journal
	outsBucket       = "outs"       // position -> output moved out of the journal
	outboxBucket     = "outbox"     // position, index -> row
	gapsBucket       = "gaps"       // daemon, 0, first sequence -> gap
	snapshotsBucket  = "snapshots"  // daemon -> bucket: serial -> snapshot
	poisonBucket     = "poison"     // position -> poison event
	documentsBucket  = "documents"  // bucket, 0, key -> document
	quarantineBucket = "quarantine" // bucket, 0, key -> what was damaged, raw
)

var bucketNames = []string{
	metaBucket, documentsBucket, headsBucket, snapshotsBucket, journalBucket, keptBucket, outsBucket, outboxBucket,
	gapsBucket, poisonBucket, quarantineBucket,
}

// ascending buckets get their keys in order, so that their pages can be filled.
var ascending = map[string]bool{journalBucket: true, keptBucket: true, outsBucket: true, outboxBucket: true}

var nameSums = func() map[string]uint32 {
	sums := make(map[string]uint32, len(bucketNames))
	for _, name := range bucketNames {
		sums[name] = crc32.Checksum([]byte(name), castagnoli)
	}
	return sums
}()

var (
	schemaKey = []byte("schema")
	totalsKey = []byte("\x00totals")
)

// entry is about what a key with its value takes in a page.
func entry(key, value []byte) int64 { return int64(16 + len(key) + len(value)) }

func makeBuckets(tx *bolt.Tx) error {
	for _, name := range bucketNames {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}
