package mesh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxPointer      = 256
	maxPointerDepth = 16
)

// Pointer is a way into a JSON document, written as in RFC 6901: /a/0/b. The empty one is the whole document. Finding
// a value reads the document no further than needed, so it is no check of the rest.
type Pointer struct {
	text   string
	tokens []token
}

type token struct {
	key   string
	index int // -1 when the key is none
}

// ParsePointer reads the text of a pointer.
func ParsePointer(text string) (Pointer, error) {
	switch {
	case text == "":
		return Pointer{}, nil
	case text[0] != '/':
		return Pointer{}, fmt.Errorf("pointer %q: must begin with /", text)
	case len(text) > maxPointer:
		return Pointer{}, fmt.Errorf("pointer of %d bytes, above %d", len(text), maxPointer)
	}
	p := Pointer{text: text}
	for part := range strings.SplitSeq(text[1:], "/") {
		if bad := strings.NewReplacer("~0", "", "~1", "").Replace(part); strings.Contains(bad, "~") {
			return Pointer{}, fmt.Errorf("pointer %q: ~ stands only in ~0 (for ~) and ~1 (for /)", text)
		}
		key := strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		index, err := strconv.Atoi(key)
		if err != nil || strconv.Itoa(index) != key {
			index = -1
		}
		p.tokens = append(p.tokens, token{key, index})
	}
	if len(p.tokens) > maxPointerDepth {
		return Pointer{}, fmt.Errorf("pointer %q: %d steps, above %d", text, len(p.tokens), maxPointerDepth)
	}
	return p, nil
}

// String is the text of the pointer.
func (p Pointer) String() string { return p.text }

// Find gives the JSON value that the pointer leads to, as part of doc. Of equal keys the first counts.
func (p Pointer) Find(doc []byte) (value []byte, ok bool) {
	rest := skipSpace(doc)
	for i := range p.tokens {
		if rest = p.tokens[i].step(rest); rest == nil {
			return nil, false
		}
	}
	n := valueSize(rest)
	return rest[:n], n > 0
}

// step moves from the beginning of a value to that of one of its members, nil when there is none.
func (t *token) step(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if b[0] == '{' {
		return t.member(b)
	}
	if b[0] == '[' && t.index >= 0 {
		return t.element(b)
	}
	return nil
}

func (t *token) member(b []byte) []byte {
	for b = skipSpace(b[1:]); len(b) > 0 && b[0] == '"'; b = skipSpace(b[1:]) {
		n := stringSize(b)
		if n == 0 {
			return nil
		}
		key := b[:n]
		if b = skipSpace(b[n:]); len(b) == 0 || b[0] != ':' {
			return nil
		}
		b = skipSpace(b[1:])
		if t.is(key) {
			return b
		}
		n = valueSize(b)
		if b = skipSpace(b[n:]); n == 0 || len(b) == 0 || b[0] != ',' {
			return nil
		}
	}
	return nil
}

func (t *token) is(quoted []byte) bool {
	if plain := quoted[1 : len(quoted)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain) == t.key
	}
	key, ok := JSONText(quoted)
	return ok && key == t.key
}

func (t *token) element(b []byte) []byte {
	b = skipSpace(b[1:])
	for range t.index {
		n := valueSize(b)
		if b = skipSpace(b[n:]); n == 0 || len(b) == 0 || b[0] != ',' {
			return nil
		}
		b = skipSpace(b[1:])
	}
	if len(b) == 0 || b[0] == ']' {
		return nil
	}
	return b
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// stringSize is the length of the string at the beginning of b with its quotes, 0 when it has no end.
func stringSize(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}

// valueSize is the length of the value at the beginning of b, 0 when there is none.
func valueSize(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringSize(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return 0
			}
		case ' ', '\n', '\t', '\r', ',', ':':
			if depth == 0 {
				return 0
			}
			continue
		default:
			if depth == 0 {
				return scalarSize(b)
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return 0
}

// scalarSize is the length of a number, true, false or null.
func scalarSize(b []byte) int {
	n := bytes.IndexAny(b, " \n\t\r,:]}")
	if n < 0 {
		n = len(b)
	}
	switch text := b[:n]; {
	case string(text) == "true", string(text) == "false", string(text) == "null", isNumber(text):
		return n
	}
	return 0
}

// isNumber follows the grammar of JSON, which is narrower than that of strconv.
func isNumber(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && '0' <= b[1] && b[1] <= '9' || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		if b = b[1:]; len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		return digits() && len(b) == 0
	}
	return len(b) == 0
}

// JSONNumber reads a JSON value that is a number.
func JSONNumber(value []byte) (float64, bool) {
	if !isNumber(value) {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(value), 64)
	return n, err == nil
}

// JSONText reads a JSON value that is a string.
func JSONText(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' || stringSize(value) != len(value) {
		return "", false
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", false
	}
	return text, true
}

// JSONID reads a JSON value as the identity of an input: an unsigned integer or a string that is not empty.
func JSONID(value []byte) (ID, error) {
	if text, ok := JSONText(value); ok && text != "" {
		return TextID(text), nil
	}
	if isNumber(value) {
		if n, err := strconv.ParseUint(string(value), 10, 64); err == nil {
			return NumberID(n), nil
		}
	}
	return ID{}, errors.New("id must be an unsigned integer or a text")
}
