package lossy

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Mount shows the disk under a directory until the returned function is called. It needs /dev/fuse and root, or
// fusermount3.
func (d *Disk) Mount(dir string) (unmount func() error, err error) {
	d.mu.Lock()
	m := &mount{RawFileSystem: fuse.NewDefaultRawFileSystem(), disk: d, id: d.mount}
	d.mu.Unlock()
	server, err := fuse.NewServer(m, dir, &fuse.MountOptions{
		Name: "lossy", FsName: "lossy", DirectMount: true, DisableXAttrs: true, DisableReadDirPlus: true,
	})
	if err != nil {
		return nil, fmt.Errorf("mount on %s: %w", dir, err)
	}
	go server.Serve() // ends with the mount
	if err := server.WaitMount(); err != nil {
		return nil, fmt.Errorf("mount on %s: %w", dir, err)
	}
	return func() error {
		// Lazily: a process that was killed may hold its files for a moment longer.
		if unix.Unmount(dir, unix.MNT_DETACH) == nil {
			return nil
		}
		return server.Unmount()
	}, nil
}

// mount is a disk as the kernel sees it between two cuts. Nodes are never forgotten before the next cut.
type mount struct {
	fuse.RawFileSystem
	disk *Disk
	id   uint64
}

// remembered is how long the kernel may keep names and attributes: nobody changes them but through it.
const remembered = time.Hour

// at finds a node and locks the disk for it; the caller unlocks.
func (m *mount) at(id uint64) (*node, fuse.Status) {
	m.disk.mu.Lock()
	n := m.disk.nodes[id]
	switch {
	case m.id != m.disk.mount:
		return nil, fuse.EIO
	case n == nil:
		return nil, fuse.ENOENT
	}
	return n, fuse.OK
}

func (n *node) attributes(out *fuse.Attr) {
	*out = fuse.Attr{Ino: n.id, Mode: n.mode, Nlink: 1, Size: uint64(len(n.data)), Blksize: 4096,
		Blocks: uint64(len(n.data)+511) / 512}
	out.SetTimes(&n.time, &n.time, &n.time)
	if n.entries != nil {
		out.Nlink = 2
	}
}

func (n *node) entry(out *fuse.EntryOut) {
	out.NodeId, out.Generation = n.id, 1
	out.SetEntryTimeout(remembered)
	out.SetAttrTimeout(remembered)
	n.attributes(&out.Attr)
}

func (m *mount) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir, status := m.at(h.NodeId)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	n := dir.entries[name]
	if n == nil {
		return fuse.ENOENT
	}
	n.entry(out)
	return fuse.OK
}

func (m *mount) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	n.attributes(&out.Attr)
	out.SetTimeout(remembered)
	return fuse.OK
}

func (m *mount) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	if size, ok := in.GetSize(); ok {
		if err := m.disk.truncate(m.id, n, int64(size)); err != 0 {
			return fuse.Status(err)
		}
	}
	if mode, ok := in.GetMode(); ok {
		n.mode = n.mode&syscall.S_IFMT | mode&0o7777
	}
	n.attributes(&out.Attr)
	out.SetTimeout(remembered)
	return fuse.OK
}

func (m *mount) add(parent uint64, name string, mode uint32, out *fuse.EntryOut) fuse.Status {
	dir, status := m.at(parent)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	n, err := m.disk.create(m.id, dir, name, mode)
	if err != 0 {
		return fuse.Status(err)
	}
	n.entry(out)
	return fuse.OK
}

func (m *mount) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	return m.add(in.NodeId, name, in.Mode, out)
}

func (m *mount) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return m.add(in.NodeId, name, syscall.S_IFDIR|in.Mode, out)
}

func (m *mount) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return m.add(in.NodeId, name, syscall.S_IFREG|in.Mode, &out.EntryOut)
}

func (m *mount) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return m.drop(h.NodeId, name, false)
}

func (m *mount) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return m.drop(h.NodeId, name, true)
}

func (m *mount) drop(parent uint64, name string, isDir bool) fuse.Status {
	dir, status := m.at(parent)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	return fuse.Status(m.disk.remove(m.id, dir, name, isDir))
}

func (m *mount) Rename(_ <-chan struct{}, in *fuse.RenameIn, old, name string) fuse.Status {
	from, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	to := m.disk.nodes[in.Newdir]
	switch {
	case status != fuse.OK:
		return status
	case to == nil:
		return fuse.ENOENT
	case in.Flags != 0:
		return fuse.EINVAL
	}
	return fuse.Status(m.disk.rename(m.id, from, old, to, name))
}

func (m *mount) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	_, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	writes := in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if status == fuse.OK && writes && m.disk.faults.ReadOnly {
		return fuse.EROFS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return status
}

func (m *mount) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	n, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return nil, status
	}
	read := 0
	if in.Offset < uint64(len(n.data)) {
		read = copy(buf, n.data[in.Offset:])
	}
	return fuse.ReadResultData(buf[:read]), fuse.OK
}

func (m *mount) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	n, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return 0, status
	}
	if err := m.disk.write(m.id, n, int64(in.Offset), data); err != 0 {
		return 0, fuse.Status(err)
	}
	return uint32(len(data)), fuse.OK
}

func (m *mount) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	n, status := m.at(in.NodeId)
	m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	return fuse.Status(m.disk.sync(m.id, n))
}

func (m *mount) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return m.Fsync(cancel, in)
}

func (m *mount) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (m *mount) Release(<-chan struct{}, *fuse.ReleaseIn) {}

func (m *mount) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	_, status := m.at(in.NodeId)
	m.disk.mu.Unlock()
	return status
}

func (m *mount) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	dir, status := m.at(in.NodeId)
	defer m.disk.mu.Unlock()
	if status != fuse.OK {
		return status
	}
	names := slices.Sorted(maps.Keys(dir.entries))
	for i := int(in.Offset); i < len(names); i++ {
		n := dir.entries[names[i]]
		if !out.AddDirEntry(fuse.DirEntry{Name: names[i], Mode: n.mode, Ino: n.id, Off: uint64(i + 1)}) {
			break
		}
	}
	return fuse.OK
}

func (m *mount) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	out.Blocks, out.Files, out.Ffree = 1<<20, 1<<20, 1<<20
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if !m.disk.faults.Full {
		out.Bfree, out.Bavail = 1<<20, 1<<20
	}
	return fuse.OK
}
