package capability

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a tag, in bytes.
const (
	MaxTag   = 256
	MaxKey   = 128
	MaxValue = 192
)

// axes and reserved are what a key can begin with: an axis ends with a dot, a reserved prefix with a colon.
var (
	axes     = [...]string{"devices", "hardware", "software"}
	reserved = [...]string{"causal", "fork-of", "scope"}
)

// Tag is one capability in canonical form: a key, and for most a value. Tags compare with ==.
type Tag struct {
	key     string
	value   string
	number  Number
	numeric bool
}

// Parse reads a tag: the first = or : after the key splits it from its value.
func Parse(text string) (Tag, error) {
	start := 0
	for _, prefix := range reserved {
		if strings.HasPrefix(text, prefix+":") {
			start = len(prefix) + 1
		}
	}
	i := strings.IndexAny(text[start:], "=:")
	if i < 0 {
		return Flag(text)
	}
	return Text(text[:start+i], text[start+i+1:])
}

// Flag is a tag that is only a key.
func Flag(key string) (Tag, error) {
	if err := checkKey(key); err != nil {
		return Tag{}, fmt.Errorf("tag %s: %w", quoted(key), err)
	}
	return Tag{key: key}, nil
}

// Text is a tag with a value; a value in the form of a number is one.
func Text(key, value string) (Tag, error) {
	tag, err := Flag(key)
	if err != nil {
		return Tag{}, err
	}
	if len(key)+1+len(value) > MaxTag {
		return Tag{}, fmt.Errorf("tag %s: has %d bytes, want at most %d", key, len(key)+1+len(value), MaxTag)
	}
	if err := checkValue(value); err != nil {
		return Tag{}, fmt.Errorf("tag %s: %w", key, err)
	}
	tag.value = value
	if tag.number, tag.numeric, err = readNumber(value); err != nil {
		return Tag{}, fmt.Errorf("tag %s: %w", key, err)
	}
	return tag, nil
}

// Int is a tag with a whole number.
func Int(key string, n int64) (Tag, error) { return Text(key, Whole(n).String()) }

// Key is what the tag is about, such as hardware.gpu.vram_mb.
func (t Tag) Key() string { return t.key }

// Value is what stands behind the key; ok is false for a tag that is only a key.
func (t Tag) Value() (value string, ok bool) { return t.value, t.value != "" }

// Number is the value as a number, if it is one.
func (t Tag) Number() (n Number, ok bool) { return t.number, t.numeric }

// String is the canonical text: key or key=value.
func (t Tag) String() string {
	if t.value == "" {
		return t.key
	}
	return t.key + "=" + t.value
}

// MarshalText is String.
func (t Tag) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is Parse.
func (t *Tag) UnmarshalText(text []byte) (err error) {
	*t, err = Parse(string(text))
	return err
}

// compare puts tags in canonical order: by key, then by value.
func compare(a, b Tag) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
}

// checkKey wants an axis or a reserved prefix, then words of [a-z0-9_-] joined by dots.
func checkKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("key has %d bytes, want at most %d", len(key), MaxKey)
	}
	rest, ok := cutHead(key)
	if !ok {
		return fmt.Errorf("must begin with one of %s., %s: and a word behind it",
			strings.Join(axes[:], "., "), strings.Join(reserved[:], ":, "))
	}
	for word := range strings.SplitSeq(rest, ".") {
		if word == "" {
			return fmt.Errorf("has an empty word: want words of a-z, 0-9, _ and - joined by single dots")
		}
		for _, r := range word {
			if !isWordRune(r) {
				return fmt.Errorf("has %q in its key: want a-z, 0-9, _ and -", r)
			}
		}
	}
	return nil
}

func cutHead(key string) (rest string, ok bool) {
	head, rest, found := strings.Cut(key, ".")
	if found && slices.Contains(axes[:], head) {
		return rest, true
	}
	head, rest, found = strings.Cut(key, ":")
	return rest, found && slices.Contains(reserved[:], head)
}

func isWordRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}

func checkValue(value string) error {
	switch {
	case value == "":
		return fmt.Errorf("has an empty value: leave out the separator")
	case len(value) > MaxValue:
		return fmt.Errorf("value has %d bytes, want at most %d", len(value), MaxValue)
	case !utf8.ValidString(value):
		return fmt.Errorf("value is not UTF-8")
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("value %s begins or ends with a space", quoted(value))
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("value %s has a character that cannot be printed", quoted(value))
	}
	switch strings.ToLower(strings.TrimLeft(value, "+-")) {
	case "nan", "inf", "infinity":
		return fmt.Errorf("value %s is not a number that can be compared", value)
	}
	return nil
}

// Clean makes free text fit for a tag's value: unprintable characters become spaces, runs of spaces one, and what is
// too long is cut. It is empty when nothing is left.
func Clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > MaxValue-MaxKey/2 {
		text = strings.TrimSpace(strings.ToValidUTF8(text[:MaxValue-MaxKey/2], ""))
	}
	return text
}

// quoted is text for an error message, cut when it is long.
func quoted(text string) string {
	if len(text) > 80 {
		return fmt.Sprintf("%.80q…", text)
	}
	return fmt.Sprintf("%q", text)
}
