package probe

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// machine is a tree written in a test: path to content, a directory where the path ends in /, a link where the content
// begins with "-> ", an error of reading where it begins with "!".
type machine map[string]string

// memory is such a tree, ready to be asked.
type memory struct {
	nodes map[string]string
	dirs  map[string][]string
}

func (m machine) tree() memory {
	t := memory{nodes: map[string]string{}, dirs: map[string][]string{"/": nil}}
	for name, content := range m {
		t.add(name, content)
	}
	t.sort()
	return t
}

func (t memory) add(name, content string) {
	clean := path.Clean("/" + name)
	if strings.HasSuffix(name, "/") {
		t.mkdir(clean)
		return
	}
	t.mkdir(path.Dir(clean))
	if _, again := t.nodes[clean]; !again {
		t.dirs[path.Dir(clean)] = append(t.dirs[path.Dir(clean)], path.Base(clean))
	}
	t.nodes[clean] = content
}

func (t memory) mkdir(name string) {
	if _, ok := t.dirs[name]; ok {
		return
	}
	t.dirs[name] = nil
	t.mkdir(path.Dir(name))
	t.dirs[path.Dir(name)] = append(t.dirs[path.Dir(name)], path.Base(name))
}

func (t memory) sort() {
	for _, names := range t.dirs {
		slices.Sort(names)
	}
}

func (t memory) lstat(name string) (fs.FileMode, error) {
	if _, ok := t.dirs[name]; ok {
		return fs.ModeDir, nil
	}
	content, ok := t.nodes[name]
	switch {
	case !ok:
		return 0, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	case strings.HasPrefix(content, "-> "):
		return fs.ModeSymlink, nil
	}
	return 0, nil
}

func (t memory) readlink(name string) (string, error) {
	target, ok := strings.CutPrefix(t.nodes[name], "-> ")
	if !ok {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return target, nil
}

func (t memory) Real(name string) (string, error) { return resolve(name, t.lstat, t.readlink) }

func (t memory) Read(name string, limit int) ([]byte, error) {
	real, err := t.Real(name)
	if err != nil {
		return nil, err
	}
	content, ok := t.nodes[real]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	if why, broken := strings.CutPrefix(content, "!"); broken {
		return nil, &fs.PathError{Op: "read", Path: name, Err: cmp.Or[error](errnos[why], syscall.EIO)}
	}
	return []byte(content[:min(limit, len(content))]), nil
}

var errnos = map[string]error{"EAGAIN": syscall.EAGAIN, "EINVAL": syscall.EINVAL, "EACCES": syscall.EACCES}

func (t memory) List(name string) ([]string, error) {
	real, err := t.Real(name)
	if err != nil {
		return nil, err
	}
	names, ok := t.dirs[real]
	if !ok {
		return nil, &fs.PathError{Op: "list", Path: name, Err: syscall.ENOTDIR}
	}
	return names, nil
}

func (t memory) Readlink(name string) (string, error) {
	dir, err := t.Real(path.Dir(name))
	if err != nil {
		return "", err
	}
	return t.readlink(path.Join(dir, path.Base(name)))
}

func (t memory) Stat(name string) (fs.FileMode, error) {
	real, err := t.Real(name)
	if err != nil {
		return 0, err
	}
	return t.lstat(real)
}

// with is the machine and more.
func (m machine) with(more machine) machine {
	all := maps.Clone(m)
	maps.Copy(all, more)
	return all
}

// patient gives subjects with a deadline of their own the tests' patience too.
func patient(subjects ...Subject) []Subject {
	for i := range subjects {
		if subjects[i].Timeout > 0 {
			subjects[i].Timeout = patience
		}
	}
	return subjects
}

// found asks one subject about a machine and gives its tags, one a line.
func found(t *testing.T, s Subject, m machine) string {
	t.Helper()
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: m.tree(), Subjects: patient(s)})
	if err != nil {
		t.Fatal(err)
	}
	for _, report := range r.Reports {
		for _, d := range report.Doubts {
			t.Logf("%s: %s: %s", report.Subject, d.Prefix, d.Reason)
		}
	}
	return lines(r)
}

func lines(r Result) string {
	var b strings.Builder
	for _, f := range r.Facts {
		b.WriteString(f.Tag.String() + "\n")
	}
	return b.String()
}

// wantTags compares a subject's tags with the wanted, one a line, indentation aside.
func wantTags(t *testing.T, s Subject, m machine, want string) {
	t.Helper()
	wanted := strings.Fields(want)
	slices.Sort(wanted)
	if got := strings.Fields(found(t, s, m)); !slices.Equal(got, wanted) {
		t.Errorf("%s found\n%s\nwant\n%s", s.Name, strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}
