// Package lossy is a file system for rigs that cut the power: it holds back what was not synced, and a cut drops it,
// keeps a random part of it, or tears it at sectors. It can also fail, fill up, turn read-only, slow down and lie.
//
// A Disk keeps its files in memory, each as it is seen and as it is on disk. Syncing a file settles its bytes, and
// syncing a directory settles its names: a new file whose directory was not synced may vanish whole, and a file that
// was renamed without syncing it may be empty under its new name. That is less than ext4 gives and all that POSIX
// promises.
package lossy

import (
	"bytes"
	"maps"
	"sync"
	"syscall"
	"time"
)

// Faults are what is wrong with a disk. The zero value is a good one.
type Faults struct {
	Sync     syscall.Errno // every sync gives this error and settles nothing
	Write    syscall.Errno // every write gives this error
	Full     bool          // no write finds room, and nothing can be created
	ReadOnly bool          // nothing can be changed
	Delay    time.Duration // added to every sync
	Lie      bool          // a sync says that it is done, and settles nothing
}

// Disk is a tree of files. It outlives its mounts and its cuts.
type Disk struct {
	mu     sync.Mutex
	nodes  map[uint64]*node
	last   uint64 // the highest number of a node
	names  []naming
	mount  uint64 // counts cuts: a mount of before is dead
	ops    int    // changes and syncs since the last cut
	faults Faults
	due    *Cut
	cut    chan struct{} // closed when due has happened
}

type node struct {
	id   uint64
	mode uint32
	time time.Time

	data, disk []byte // as seen, and as it is on disk
	pending    []write

	entries, stable map[string]*node // of a directory, as seen and as on disk
}

// write is a change of a file's bytes that is not on disk. Without data it sets the size.
type write struct {
	at   int64
	data []byte
}

// naming is a change of names that is not on disk: something is created without from, removed without to.
type naming struct {
	what     *node
	from, to *node
	old, new string
}

const rootID = 1

// New returns an empty disk.
func New() *Disk {
	d := &Disk{nodes: map[uint64]*node{}}
	d.make(syscall.S_IFDIR | 0o755)
	return d
}

// Set changes what is wrong with the disk.
func (d *Disk) Set(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
}

// Clone returns another disk that holds what a cut that drops everything would leave.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Disk{nodes: map[uint64]*node{}, last: d.last}
	for id, n := range d.nodes {
		c.nodes[id] = &node{id: id, mode: n.mode, time: n.time, disk: bytes.Clone(n.disk)}
	}
	for id, n := range d.nodes {
		if n.entries == nil {
			continue
		}
		c.nodes[id].stable = map[string]*node{}
		for name, child := range n.stable {
			c.nodes[id].stable[name] = c.nodes[child.id]
		}
	}
	c.restart()
	return c
}

// Ops counts the changes and syncs since the last cut.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

func (d *Disk) make(mode uint32) *node {
	d.last++
	n := &node{id: d.last, mode: mode, time: time.Now()}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		n.entries, n.stable = map[string]*node{}, map[string]*node{}
	}
	d.nodes[n.id] = n
	return n
}

// begin counts a change of a mount that must still be alive, and makes the cut that is due at it.
func (d *Disk) begin(mount uint64) syscall.Errno {
	if mount != d.mount {
		return syscall.EIO
	}
	d.ops++
	if d.due != nil && d.ops >= d.due.After {
		d.apply(*d.due)
		return syscall.EIO
	}
	return 0
}

// change begins a change that needs a writable disk.
func (d *Disk) change(mount uint64) syscall.Errno {
	if err := d.begin(mount); err != 0 {
		return err
	}
	if d.faults.ReadOnly {
		return syscall.EROFS
	}
	return 0
}

// create puts a new node into a directory.
func (d *Disk) create(mount uint64, dir *node, name string, mode uint32) (*node, syscall.Errno) {
	if err := d.change(mount); err != 0 {
		return nil, err
	}
	switch {
	case d.faults.Full:
		return nil, syscall.ENOSPC
	case dir.entries == nil:
		return nil, syscall.ENOTDIR
	case dir.entries[name] != nil:
		return nil, syscall.EEXIST
	}
	n := d.make(mode)
	dir.entries[name] = n
	d.names = append(d.names, naming{what: n, to: dir, new: name})
	return n, 0
}

func (d *Disk) remove(mount uint64, dir *node, name string, isDir bool) syscall.Errno {
	if err := d.change(mount); err != 0 {
		return err
	}
	n := dir.entries[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case isDir && n.entries == nil:
		return syscall.ENOTDIR
	case !isDir && n.entries != nil:
		return syscall.EISDIR
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	delete(dir.entries, name)
	d.names = append(d.names, naming{what: n, from: dir, old: name})
	return 0
}

func (d *Disk) rename(mount uint64, from *node, old string, to *node, name string) syscall.Errno {
	if err := d.change(mount); err != 0 {
		return err
	}
	n := from.entries[old]
	if n == nil {
		return syscall.ENOENT
	}
	delete(from.entries, old)
	to.entries[name] = n
	d.names = append(d.names, naming{what: n, from: from, old: old, to: to, new: name})
	return 0
}

func (d *Disk) write(mount uint64, n *node, at int64, data []byte) syscall.Errno {
	if err := d.change(mount); err != 0 {
		return err
	}
	switch {
	case d.faults.Full:
		return syscall.ENOSPC
	case d.faults.Write != 0:
		return d.faults.Write
	}
	w := write{at: at, data: bytes.Clone(data)}
	n.pending = append(n.pending, w)
	n.data = w.put(n.data)
	n.time = time.Now()
	return 0
}

func (d *Disk) truncate(mount uint64, n *node, size int64) syscall.Errno {
	if err := d.change(mount); err != 0 {
		return err
	}
	w := write{at: size}
	n.pending = append(n.pending, w)
	n.data = w.put(n.data)
	n.time = time.Now()
	return 0
}

// put does what was written to the bytes of a file.
func (w write) put(b []byte) []byte {
	end := int(w.at) + len(w.data)
	if w.data == nil && len(b) > end {
		return b[:end]
	}
	if more := end - len(b); more > 0 {
		b = append(b, make([]byte, more)...)
	}
	copy(b[w.at:], w.data)
	return b
}

// sync settles what a file or a directory had when it was called, after the disk's delay.
func (d *Disk) sync(mount uint64, n *node) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin(mount); err != 0 {
		return err
	}
	writes, names := len(n.pending), len(d.names)
	if delay := d.faults.Delay; delay > 0 {
		d.mu.Unlock()
		time.Sleep(delay)
		d.mu.Lock()
	}
	switch {
	case mount != d.mount:
		return syscall.EIO
	case d.faults.Sync != 0:
		return d.faults.Sync
	case d.faults.Lie:
		return 0
	}
	for _, w := range n.pending[:min(writes, len(n.pending))] {
		n.disk = w.put(n.disk)
	}
	n.pending = n.pending[min(writes, len(n.pending)):]
	if n.entries != nil {
		d.settleNames(n, min(names, len(d.names)))
	}
	return 0
}

// settleNames settles those of the first count changes of names that touch a directory.
func (d *Disk) settleNames(dir *node, count int) {
	var left []naming
	for i, c := range d.names {
		if i < count && (c.from == dir || c.to == dir) {
			c.settle()
		} else {
			left = append(left, c)
		}
	}
	d.names = left
}

func (c naming) settle() {
	if c.from != nil && c.from.stable[c.old] == c.what {
		delete(c.from.stable, c.old)
	}
	if c.to != nil {
		c.to.stable[c.new] = c.what
	}
}

// restart gives every node that is still named what it has on disk, and forgets the others.
func (d *Disk) restart() {
	d.names = nil
	reached := map[uint64]*node{}
	var visit func(n *node)
	visit = func(n *node) {
		if reached[n.id] != nil {
			return
		}
		reached[n.id] = n
		n.data, n.pending = bytes.Clone(n.disk), nil
		if n.stable == nil {
			return
		}
		n.entries = maps.Clone(n.stable)
		for _, child := range n.entries {
			visit(child)
		}
	}
	visit(d.nodes[rootID])
	d.nodes = reached
}
