package probe

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is the machine whose files were copied, or mounted, below dir.
func Dir(dir string) (Tree, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding root %s: %w", dir, err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("opening root: %w", err)
	}
	root, err := os.OpenFile(abs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening root: %w", err)
	}
	c := copied{dir: abs, root: root}
	if real, err := c.inRoot("/", unix.O_PATH, realOf); err != nil || real != abs {
		c.root = nil
	}
	return c, nil
}

// copied reads below a directory as if that were the root. Where root is nil, the kernel cannot do so by itself (it can
// from 5.6 on), and every symbolic link is followed by hand, which takes a hundred times as long.
type copied struct {
	dir  string
	root *os.File
}

// inRoot opens a path whose links lead nowhere but below the root, and uses it.
func (c copied) inRoot(name string, flags uint64, use func(fd int) (string, error)) (string, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(int(c.root.Fd()), name, &how)
		if (err == unix.EAGAIN || err == unix.EINTR) && try < 8 {
			continue // something moved while the path was followed
		}
		if err != nil {
			return "", &fs.PathError{Op: "open", Path: name, Err: err}
		}
		text, err := use(fd)
		unix.Close(fd)
		runtime.KeepAlive(c.root)
		return text, err
	}
}

// realOf is the host's name of an open file.
func realOf(fd int) (string, error) { return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)) }

func (c copied) host(name string) string { return c.dir + name }

func (c copied) Real(name string) (string, error) {
	if c.root == nil {
		return c.follow(name)
	}
	host, err := c.inRoot(name, unix.O_PATH, realOf)
	if err != nil {
		return "", err
	}
	real := strings.TrimPrefix(host, strings.TrimSuffix(c.dir, "/"))
	if real == "" {
		real = "/"
	}
	return real, nil
}

// follow is Real by hand.
func (c copied) follow(name string) (string, error) {
	return resolve(name, func(p string) (fs.FileMode, error) {
		info, err := os.Lstat(c.host(p))
		if err != nil {
			return 0, err
		}
		return info.Mode(), nil
	}, func(p string) (string, error) { return os.Readlink(c.host(p)) })
}

// Stat opens nothing but the path, so that a device is left alone.
func (c copied) Stat(name string) (mode fs.FileMode, err error) {
	if c.root == nil {
		real, err := c.follow(name)
		if err != nil {
			return 0, err
		}
		return statMode(c.host(real))
	}
	_, err = c.inRoot(name, unix.O_PATH, func(fd int) (string, error) {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return "", &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		mode = modeOf(st.Mode)
		return "", nil
	})
	return mode, err
}

// modeOf keeps of the kernel's mode what a probe asks for: whether it is a directory, or no regular file at all.
func modeOf(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return fs.FileMode(mode & 0o777)
	case unix.S_IFDIR:
		return fs.ModeDir | fs.FileMode(mode&0o777)
	}
	return fs.ModeIrregular
}

// Read opens regular files only: opening a copied device or pipe could do anything.
func (c copied) Read(name string, limit int) (data []byte, err error) {
	mode, err := c.Stat(name)
	if err != nil {
		return nil, err
	}
	if !mode.IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	if c.root == nil {
		real, err := c.follow(name)
		if err != nil {
			return nil, err
		}
		return readRaw(c.host(real), limit)
	}
	_, err = c.inRoot(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, func(fd int) (string, error) {
		data, err = readOpen(fd, name, limit)
		return "", err
	})
	return data, err
}

func (c copied) List(name string) (names []string, err error) {
	if c.root == nil {
		real, err := c.follow(name)
		if err != nil {
			return nil, err
		}
		return listNames(c.host(real))
	}
	_, err = c.inRoot(name, unix.O_RDONLY|unix.O_DIRECTORY, func(fd int) (string, error) {
		again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // the file closes its own
		if err != nil {
			return "", &fs.PathError{Op: "list", Path: name, Err: err}
		}
		dir := os.NewFile(uintptr(again), name)
		defer dir.Close()
		names, err = namesIn(dir)
		return "", err
	})
	return names, err
}

func (c copied) Readlink(name string) (string, error) {
	if c.root == nil {
		dir, err := c.follow(path.Dir(name))
		if err != nil {
			return "", err
		}
		return os.Readlink(c.host(path.Join(dir, path.Base(name))))
	}
	return c.inRoot(name, unix.O_PATH|unix.O_NOFOLLOW, func(fd int) (string, error) {
		buf := make([]byte, maxPath)
		n, err := unix.Readlinkat(fd, "", buf)
		if err != nil {
			return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
		}
		return string(buf[:n]), nil
	})
}
