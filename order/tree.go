package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// tree is a JSON value with its numbers as written and its names in order.
type tree struct {
	kind  kind
	text  string   // of a text or a number
	names []string // of an object
	parts []*tree  // of an object or a list
}

type kind uint8

const (
	null kind = iota
	truth
	lie
	number
	text
	list
	object
)

func (k kind) String() string {
	return [...]string{"null", "true", "false", "a number", "a text", "a list", "an object"}[k]
}

const maxDepth = 32

// parseTree reads one JSON value and nothing behind it. Names given twice are mistakes.
func parseTree(data []byte, mistakes *Mistakes) *tree {
	switch {
	case len(data) > MaxDocument:
		mistakes.add("", fmt.Sprintf("has %d bytes", len(data)), fmt.Sprintf("want at most %d", MaxDocument))
		return nil
	case !utf8.Valid(data):
		mistakes.add("", "is not UTF-8", "want JSON in UTF-8")
		return nil
	}
	r := &reader{decoder: json.NewDecoder(bytes.NewReader(data)), mistakes: mistakes}
	r.decoder.UseNumber()
	t, err := r.value("", 0)
	if err == nil {
		if _, err = r.decoder.Token(); err == io.EOF {
			return t
		}
		if err == nil {
			err = errors.New("something follows the document")
		}
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errors.New("it ends too early")
	}
	mistakes.add("", fmt.Sprintf("is not JSON at byte %d", r.decoder.InputOffset()), err.Error())
	return nil
}

type reader struct {
	decoder  *json.Decoder
	mistakes *Mistakes
}

func (r *reader) value(path string, depth int) (*tree, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case bool:
		if token {
			return &tree{kind: truth}, nil
		}
		return &tree{kind: lie}, nil
	case json.Number:
		return &tree{kind: number, text: token.String()}, nil
	case string:
		return &tree{kind: text, text: token}, nil
	case json.Delim:
		if token == '[' {
			return r.list(path, depth)
		}
		return r.object(path, depth)
	}
	return &tree{}, nil
}

func (r *reader) list(path string, depth int) (*tree, error) {
	t := &tree{kind: list}
	for r.decoder.More() {
		part, err := r.value(element(path, len(t.parts)), depth+1)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part)
	}
	_, err := r.decoder.Token()
	return t, err
}

func (r *reader) object(path string, depth int) (*tree, error) {
	t := &tree{kind: object}
	seen := map[string]bool{}
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("a name is missing")
		}
		part, err := r.value(field(path, name), depth+1)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			r.mistakes.add(field(path, name), "stands twice", "keep one of them")
			continue
		}
		seen[name] = true
		t.names, t.parts = append(t.names, name), append(t.parts, part)
	}
	_, err := r.decoder.Token()
	return t, err
}

// append writes the value in canonical form: no spaces, names sorted, numbers as they were.
func (t *tree) append(b []byte) []byte {
	switch t.kind {
	case null:
		return append(b, "null"...)
	case truth:
		return append(b, "true"...)
	case lie:
		return append(b, "false"...)
	case number:
		return append(b, t.text...)
	case text:
		return appendText(b, t.text)
	case list:
		b = append(b, '[')
		for i, part := range t.parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = part.append(b)
		}
		return append(b, ']')
	}
	order := make([]int, len(t.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(t.names[a], t.names[b]) })
	b = append(b, '{')
	for n, i := range order {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, t.names[i]), ':')
		b = t.parts[i].append(b)
	}
	return append(b, '}')
}

func appendText(b []byte, text string) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string always encodes
	}
	return append(b, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))...)
}
