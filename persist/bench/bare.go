package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/edge-agent/edge-agent/mesh"
)

// header is the size of what the store adds to each record, kept equal on all sides.
const header = 34

// item is an event in the form in which the simple sides write it: the values of its records.
type item struct {
	daemon                         int
	at                             mesh.Position
	step, out, row, head, snapshot []byte
	done                           func(error)
}

// encode makes the same records as the store, without sums.
func (w *work) encode(daemon int, done func(error)) item {
	g := w.group(daemon)
	s := &g.Steps[0]
	space := make([]byte, header, header+512+2*len(w.payload))
	it := item{daemon: daemon, at: s.Position, done: done, step: mesh.AppendStep(space, s)}
	it.out = mesh.AppendOut(make([]byte, header, header+256+len(w.payload)), &s.Outs[0])
	it.row, it.head = make([]byte, header+16), make([]byte, header+65)
	if len(g.Snapshots) > 0 {
		it.snapshot = mesh.AppendSnapshot(make([]byte, header), &g.Snapshots[0])
	}
	return it
}

// gather is the group commit that the simple sides share: whatever waits is written at once.
type gather struct {
	mu    sync.Mutex
	work  *work
	queue []item
	wake  chan struct{}
	quit  chan struct{}
	ended chan error
}

func newGather(payload int, commit func([]item) error, end func() error) *gather {
	g := &gather{
		work: newWork(payload), wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan error, 1),
	}
	go func() {
		for {
			g.mu.Lock()
			batch := g.queue
			g.queue = nil
			g.mu.Unlock()
			if len(batch) == 0 {
				select {
				case <-g.wake:
					continue
				case <-g.quit:
					g.ended <- end()
					return
				}
			}
			err := commit(batch)
			for _, it := range batch {
				it.done(err)
			}
		}
	}()
	return g
}

func (g *gather) write(waiter int, done func(error)) {
	g.mu.Lock()
	g.queue = append(g.queue, g.work.encode(waiter%daemons, done))
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *gather) close() error {
	close(g.quit)
	return <-g.ended
}

// openBare is a bbolt file with the same options and the same keys and sizes of values, and nothing else.
func openBare(dir string, payload int) (side, error) {
	db, err := bolt.Open(filepath.Join(dir, "bare.db"), 0o600, &bolt.Options{
		FreelistType: bolt.FreelistMapType, NoFreelistSync: true, InitialMmapSize: 256 << 20, PageSize: 4096,
	})
	if err != nil {
		return nil, fmt.Errorf("open bare store: %w", err)
	}
	db.AllocSize = 1 << 20
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{"journal", "outbox", "heads", "snapshots"} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open bare store: %w", err), db.Close())
	}
	b := &bare{db: db}
	return newGather(payload, b.commit, db.Close), nil
}

type bare struct{ db *bolt.DB }

func (b *bare) commit(batch []item) error {
	tx, err := b.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	journal, outbox := tx.Bucket([]byte("journal")), tx.Bucket([]byte("outbox"))
	heads, snapshots := tx.Bucket([]byte("heads")), tx.Bucket([]byte("snapshots"))
	journal.FillPercent, outbox.FillPercent = 1, 1
	var newest [daemons][]byte
	for i := range batch {
		it := &batch[i]
		step := binary.BigEndian.AppendUint64(nil, uint64(it.at))
		out := binary.BigEndian.AppendUint64(nil, uint64(it.at+1))
		err := errors.Join(
			journal.Put(step, it.step), journal.Put(out, it.out), outbox.Put(append(out, 0, 0), it.row),
		)
		if it.snapshot != nil {
			err = errors.Join(err, snapshots.Put([]byte{byte(it.daemon), byte(it.at >> 12 & 1)}, it.snapshot))
		}
		if err != nil {
			return err
		}
		newest[it.daemon] = it.head
	}
	for daemon, head := range newest {
		if head == nil {
			continue
		}
		if err := heads.Put(fmt.Appendf(nil, "daemon-%02d", daemon), head); err != nil {
			return err
		}
	}
	return tx.Commit()
}

const logSize = 64 << 20

// openLog is a file whose blocks exist already, overwritten from its start to its end, again and again.
func openLog(dir string, payload int) (side, error) {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < logSize && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros, at)
	}
	if err := errors.Join(err, f.Sync()); err != nil {
		return nil, errors.Join(fmt.Errorf("fill log: %w", err), f.Close())
	}
	l := &flatLog{f: f}
	return newGather(payload, l.commit, f.Close), nil
}

type flatLog struct {
	f   *os.File
	at  int64
	buf []byte
}

func (l *flatLog) commit(batch []item) error {
	l.buf = l.buf[:0]
	for i := range batch {
		it := &batch[i]
		for _, part := range [][]byte{it.step, it.out, it.row, it.head, it.snapshot} {
			l.buf = append(l.buf, part...)
		}
	}
	if l.at+int64(len(l.buf)) > logSize {
		l.at = 0
	}
	n, err := l.f.WriteAt(l.buf, l.at)
	l.at += int64(n)
	if err != nil {
		return err
	}
	return unix.Fdatasync(int(l.f.Fd()))
}
