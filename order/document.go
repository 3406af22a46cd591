package order

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// Version is the major version of every document.
const Version = 1

// Limits of documents.
const (
	MaxDocument = 96 << 10  // bytes
	MaxNumber   = 1<<53 - 1 // so that every JSON reader keeps numbers exact
	maxList     = 4096      // entries of one list or object
	maxText     = 16 << 10  // bytes of one text
)

// Document is one of the documents of this package; each has a version of its own.
type Document interface {
	// Document is what it is called in sentences.
	Document() string
	check(*Mistakes)
}

// Unknown keeps the fields that this version does not know. It is embedded in every part of a document.
type Unknown struct {
	fields map[string]json.RawMessage // in canonical form
}

// Equal reports whether both keep the same.
func (u Unknown) Equal(other Unknown) bool {
	if len(u.fields) != len(other.fields) {
		return false
	}
	for name, value := range u.fields {
		if string(other.fields[name]) != string(value) {
			return false
		}
	}
	return true
}

// Parse reads a document into doc. The error is Mistakes or a *VersionError; doc then holds what could be read, so that
// an answer can name the numbers of what it answers.
func Parse(data []byte, doc Document) error {
	var mistakes Mistakes
	t := parseTree(data, &mistakes)
	if t == nil {
		return mistakes
	}
	if t.kind != object {
		mistakes.add("", "is "+t.kind.String(), "want an object: {…}")
		return mistakes
	}
	version, err := t.takeVersion(doc.Document(), &mistakes)
	if err != nil {
		return err
	}
	decode(t, "", reflect.ValueOf(doc).Elem(), &mistakes)
	if version {
		var later Mistakes
		doc.check(&later)
		mistakes.addUnrelated(later)
	}
	return mistakes.err()
}

// takeVersion removes v from the object; other majors are an error.
func (t *tree) takeVersion(name string, mistakes *Mistakes) (known bool, err error) {
	for i, n := range t.names {
		if n != "v" {
			continue
		}
		v := t.parts[i]
		t.names = append(t.names[:i:i], t.names[i+1:]...)
		t.parts = append(t.parts[:i:i], t.parts[i+1:]...)
		major, bad := strconv.ParseUint(v.text, 10, 64)
		switch {
		case v.kind != number || bad != nil:
			mistakes.add("v", "is "+v.describe(), fmt.Sprintf("want the number %d", Version))
			return false, nil
		case major != Version:
			return false, &VersionError{Document: name, Version: major}
		}
		return true, nil
	}
	mistakes.add("v", "is missing", fmt.Sprintf("want \"v\":%d", Version))
	return false, nil
}

// Encode writes a document. It fails where Parse would refuse the result.
func Encode(doc Document) ([]byte, error) {
	var mistakes Mistakes
	doc.check(&mistakes)
	value := reflect.ValueOf(doc)
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	b := append([]byte(`{"v":`), strconv.Itoa(Version)...)
	b = encodeFields(b, "", value, &mistakes)
	b = append(b, '}')
	if len(b) > MaxDocument {
		mistakes.add("", fmt.Sprintf("has %d bytes", len(b)), fmt.Sprintf("want at most %d", MaxDocument))
	}
	if err := mistakes.err(); err != nil {
		return nil, fmt.Errorf("%s: %w", doc.Document(), err)
	}
	return b, nil
}
