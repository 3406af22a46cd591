package capability

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxTag is the longest tag in bytes.
const MaxTag = 256

// Tag is one capability in canonical form: a key, and for most a value.
type Tag struct {
	key   string
	value string
	has   bool
}

// Key is what the tag is about, such as hardware.gpu.vram_mb.
func (t Tag) Key() string { return t.key }

// Value is what stands behind the key; ok is false for a tag that is only a key.
func (t Tag) Value() (value string, ok bool) { return t.value, t.has }

// Number is the value as a number, if it is one.
func (t Tag) Number() (n int64, ok bool) {
	n, err := strconv.ParseInt(t.value, 10, 64)
	return n, t.has && err == nil
}

// String is the canonical text: key or key=value.
func (t Tag) String() string {
	if t.has {
		return t.key + "=" + t.value
	}
	return t.key
}

// Parse reads a tag: the first = or : after the key splits it from its value.
func Parse(text string) (Tag, error) {
	if len(text) > MaxTag {
		return Tag{}, fmt.Errorf("tag of %d bytes, above %d", len(text), MaxTag)
	}
	key, value, has := text, "", false
	if i := strings.IndexAny(text, "=:"); i >= 0 {
		key, value, has = text[:i], text[i+1:], true
	}
	return Tag{key: key, value: value, has: has}, nil
}
