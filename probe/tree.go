package probe

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Tree is a machine's files as a probe sees them. Paths are absolute within it; symbolic links are followed and never
// lead out of it. It is safe for concurrent use.
type Tree interface {
	// Read gives at most the first limit bytes of a file.
	Read(name string, limit int) ([]byte, error)
	// List gives the names in a directory, sorted.
	List(name string) ([]string, error)
	// Readlink gives the text of one symbolic link.
	Readlink(name string) (string, error)
	// Real gives the path with every symbolic link followed.
	Real(name string) (string, error)
	// Stat describes what the path leads to.
	Stat(name string) (fs.FileMode, error)
}

const (
	maxPath  = 4096
	maxLinks = 40
	maxNames = 16384 // names in one directory
)

var errNotRegular = errors.New("not a regular file")

// Here is this machine.
func Here() Tree { return here{} }

type here struct{}

func (here) Read(name string, limit int) ([]byte, error)  { return readRaw(name, limit) }
func (here) List(name string) ([]string, error)           { return listNames(name) }
func (here) Readlink(name string) (string, error)         { return os.Readlink(name) }
func (here) Real(name string) (string, error)             { return filepath.EvalSymlinks(name) }
func (here) Stat(name string) (mode fs.FileMode, _ error) { return statMode(name) }

func statMode(name string) (fs.FileMode, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// readRaw reads without the runtime's poller: some hwmon drivers answer EAGAIN, and os.ReadFile would wait forever.
func readRaw(name string, limit int) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	return readOpen(fd, name, limit)
}

func readOpen(fd int, name string, limit int) ([]byte, error) {
	buf := make([]byte, min(limit, 1024)) // most files of sysfs are shorter
	n := 0
	for {
		got, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		case got <= 0 || n+got == limit:
			return buf[:n+max(got, 0)], nil
		}
		if n += got; n == len(buf) {
			buf = append(buf, make([]byte, min(limit-n, 7*n))...)
		}
	}
}

func listNames(name string) ([]string, error) {
	dir, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return namesIn(dir)
}

func namesIn(dir *os.File) ([]string, error) {
	names, err := dir.Readdirnames(maxNames)
	if len(names) == 0 && err != nil && !errors.Is(err, fs.ErrNotExist) {
		if info, statErr := dir.Stat(); statErr == nil && info.IsDir() {
			return nil, nil // empty: Readdirnames says EOF
		}
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// resolve follows every symbolic link of name, with / as the tree's own root however often a link says "..".
func resolve(
	name string, lstat func(string) (fs.FileMode, error), readlink func(string) (string, error),
) (string, error) {
	if len(name) > maxPath {
		return "", &fs.PathError{Op: "follow", Path: name[:64] + "…", Err: unix.ENAMETOOLONG}
	}
	rest, at := path.Clean("/"+name), "/"
	for links := 0; rest != ""; {
		part, tail := cutPath(rest)
		if rest = tail; part == "" || part == "." {
			continue
		}
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		mode, err := lstat(next)
		if err != nil {
			return "", err
		}
		if mode&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks || len(target)+len(rest) > maxPath {
			return "", &fs.PathError{Op: "follow", Path: name, Err: unix.ELOOP}
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = target + "/" + rest
	}
	return at, nil
}

func cutPath(p string) (first, rest string) {
	for len(p) > 0 && p[0] == '/' {
		p = p[1:]
	}
	for i := range len(p) {
		if p[i] == '/' {
			return p[:i], p[i:]
		}
	}
	return p, ""
}
