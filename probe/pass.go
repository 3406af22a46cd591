package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edge-agent/edge-agent/capability"
)

// Pass is one subject's turn in a run: what it may read, and where it puts what it finds. Only the subject's own
// goroutine uses it.
type Pass struct {
	ctx     context.Context
	tree    Tree
	tools   Tools
	live    bool
	virtual bool
	subject Subject
	now     time.Time

	facts  []Fact
	meta   map[string]string
	doubts []Doubt
	gauges []Gauge
}

const (
	readLimit = 64 << 10 // bytes of one file, unless a subject asks for more
	maxFacts  = 4096     // facts of one subject
	maxGauges = 512
)

// Context ends when the subject's time is up.
func (p *Pass) Context() context.Context { return p.ctx }

// Live reports whether the tree is this very machine, so that ioctl and system calls answer for it.
func (p *Pass) Live() bool { return p.live }

// Read reads a file whole, at most 64 KiB of it.
func (p *Pass) Read(name string) (Evidence, error) { return p.ReadMax(name, readLimit) }

// ReadMax reads at most limit bytes of a file.
func (p *Pass) ReadMax(name string, limit int) (Evidence, error) {
	if err := p.ctx.Err(); err != nil {
		return Evidence{Path: name}, err
	}
	raw, err := p.tree.Read(name, limit)
	return Evidence{Path: name, Raw: string(raw)}, err
}

// Text is the trimmed content of a file, empty where there is none to read.
func (p *Pass) Text(name string) string {
	e, _ := p.Read(name)
	return e.Text()
}

// Number reads a file that holds one decimal or 0x number.
func (p *Pass) Number(name string) (int64, Evidence, error) {
	e, err := p.Read(name)
	if err != nil {
		return 0, e, err
	}
	n, err := strconv.ParseInt(e.Text(), 0, 64)
	if err != nil {
		return 0, e, fmt.Errorf("reading %s: %q is not a number", name, cut(e.Text(), 32))
	}
	return n, e, nil
}

// List gives the names in a directory, sorted; none where there is no such directory.
func (p *Pass) List(name string) ([]string, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	names, err := p.tree.List(name)
	if Missing(err) {
		return nil, nil
	}
	return names, err
}

// Names is List for a directory whose failure means nothing more than absence.
func (p *Pass) Names(name string) []string {
	names, _ := p.List(name)
	return names
}

// Exists reports whether the path leads to anything.
func (p *Pass) Exists(name string) bool {
	_, err := p.tree.Stat(name)
	return err == nil
}

// IsDir reports whether the path leads to a directory.
func (p *Pass) IsDir(name string) bool {
	mode, err := p.tree.Stat(name)
	return err == nil && mode.IsDir()
}

// Link is the last name of a symbolic link's target, as in DEVICE/driver; empty where there is no link.
func (p *Pass) Link(name string) string {
	target, err := p.tree.Readlink(name)
	if err != nil {
		return ""
	}
	return path.Base(target)
}

// Real is the path with every symbolic link followed; empty where it leads nowhere.
func (p *Pass) Real(name string) string {
	real, err := p.tree.Real(name)
	if err != nil {
		return ""
	}
	return real
}

// Missing reports whether an error is a complete answer: what was asked for is not there.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENODEV) ||
		errors.Is(err, unix.ENXIO)
}

// Tag states a tag without value.
func (p *Pass) Tag(key string, e Evidence) { p.add(key, e) }

// Value states a tag with a text value, brought to the form a tag may have; an empty value states nothing.
func (p *Pass) Value(key, value string, e Evidence) {
	if value = Slug(value); value != "" {
		p.add(key+"="+value, e)
	}
}

// Count states a tag with a number; a negative one states nothing but a doubt. What is 0 only by rounding to whole
// gigas states nothing: there 0 reads as unknown.
func (p *Pass) Count(key string, n int64, e Evidence) {
	if n < 0 {
		p.Doubt(key, fmt.Errorf("implausible value %d", n))
		return
	}
	if n == 0 && (strings.HasSuffix(key, "_gb") || strings.HasSuffix(key, "_gbps")) {
		return
	}
	p.add(key+"="+strconv.FormatInt(n, 10), e)
}

// Meta adds free text to the caps document; it is not a tag and decides nothing.
func (p *Pass) Meta(key, text string) {
	if p.meta == nil {
		p.meta = map[string]string{}
	}
	if text = strings.TrimSpace(text); text != "" && len(p.meta) < maxFacts {
		p.meta[key] = cut(text, maxRaw)
	}
}

// Doubt says that the subject could not tell about the tags at prefix and below: what was known of them is kept. An
// empty prefix stands for all of the subject's tags. A nil error and one that means absence raise no doubt.
func (p *Pass) Doubt(prefix string, err error) {
	if err != nil && !Missing(err) && len(p.doubts) < maxFacts {
		p.doubts = append(p.doubts, Doubt{prefix, err.Error()})
	}
}

// Gauge names a value that changes all the time, to be read again by Readings.
func (p *Pass) Gauge(g Gauge) {
	if len(p.gauges) < maxGauges {
		p.gauges = append(p.gauges, g)
	}
}

func (p *Pass) add(text string, e Evidence) {
	tag, err := capability.Parse(text)
	if err != nil {
		p.Doubt(strings.SplitN(text, "=", 2)[0], err)
		return
	}
	word, ok := find(p.subject.Words, tag.Key())
	if !ok {
		p.Doubt(tag.Key(), errors.New("not in the vocabulary of "+p.subject.Name))
		return
	}
	p.state(tag, e, Measured, word.Many)
}

func (p *Pass) state(tag capability.Tag, e Evidence, state State, many bool) {
	if len(p.facts) < maxFacts {
		p.facts = append(p.facts, Fact{tag, p.subject.Name, e.kept(), state, p.now, many})
	}
}

// Slug brings text to the form of a tag's value: lower case, runs of anything but letters, digits and . _ + - become
// one -, at most 63 bytes.
func Slug(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '+', r == '-':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		default:
			gap = true
		}
	}
	return strings.Trim(cut(b.String(), 63), "-.")
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.Clone(s[:n])
	}
	return s
}
