package capability

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Limits of a set.
const (
	MaxTags          = 4096
	MaxMetadataBytes = 16 << 10 // keys and values together
)

// Set is what a node has: tags and free-text metadata. The zero set is empty and ready to use; a set never changes.
type Set struct {
	tags     []Tag // in canonical order, each once
	metadata map[string]string
}

// NewSet holds the tags given, each once.
func NewSet(tags ...Tag) (Set, error) {
	sorted := slices.Clone(tags)
	slices.SortFunc(sorted, compare)
	sorted = slices.Compact(sorted)
	if len(sorted) > MaxTags {
		return Set{}, fmt.Errorf("capability set of %d tags, above %d", len(sorted), MaxTags)
	}
	return Set{tags: sorted}, nil
}

// ParseSet is NewSet of the tags that the texts stand for.
func ParseSet(texts ...string) (Set, error) {
	if len(texts) > MaxTags {
		return Set{}, fmt.Errorf("capability set of %d tags, above %d", len(texts), MaxTags)
	}
	tags := make([]Tag, len(texts))
	for i, text := range texts {
		var err error
		if tags[i], err = Parse(text); err != nil {
			return Set{}, err
		}
	}
	return NewSet(tags...)
}

// With adds tags.
func (s Set) With(tags ...Tag) (Set, error) { return s.Union(Set{tags: tags}) }

// WithMetadata replaces the metadata.
func (s Set) WithMetadata(metadata map[string]string) (Set, error) {
	size := 0
	for key, value := range metadata {
		if key == "" || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return Set{}, fmt.Errorf("metadata %s: want a name and UTF-8 text", quoted(key))
		}
		size += len(key) + len(value)
	}
	if size > MaxMetadataBytes {
		return Set{}, fmt.Errorf("metadata of %d bytes, above %d", size, MaxMetadataBytes)
	}
	s.metadata = maps.Clone(metadata)
	return s, nil
}

// Union has what either set has; where both have metadata of a name, the other's counts.
func (s Set) Union(other Set) (Set, error) {
	union, err := NewSet(slices.Concat(s.tags, other.tags)...)
	if err != nil || len(s.metadata)+len(other.metadata) == 0 {
		return union, err
	}
	metadata := make(map[string]string, len(s.metadata)+len(other.metadata))
	maps.Copy(metadata, s.metadata)
	maps.Copy(metadata, other.metadata)
	return union.WithMetadata(metadata)
}

// Minus lists the tags that other lacks, in canonical order.
func (s Set) Minus(other Set) []Tag {
	var missing []Tag
	for _, tag := range s.tags {
		if !other.Has(tag) {
			missing = append(missing, tag)
		}
	}
	return missing
}

// Len is the number of tags.
func (s Set) Len() int { return len(s.tags) }

// Tags lists the set in canonical order.
func (s Set) Tags() []Tag { return slices.Clone(s.tags) }

// Metadata is the free text, by name.
func (s Set) Metadata() map[string]string { return maps.Clone(s.metadata) }

// Has reports whether the tag is in the set.
func (s Set) Has(tag Tag) bool {
	_, found := slices.BinarySearchFunc(s.tags, tag, compare)
	return found
}

// HasKey reports whether any tag has the key, with or without a value.
func (s Set) HasKey(key string) bool { return len(s.with(key)) > 0 }

// Text is the first value of the key.
func (s Set) Text(key string) (value string, ok bool) {
	for _, tag := range s.with(key) {
		if value, ok = tag.Value(); ok {
			return value, true
		}
	}
	return "", false
}

// Number is the greatest number that the key has.
func (s Set) Number(key string) (n Number, ok bool) { return greatest(s.with(key)) }

// Int is the whole part of Number.
func (s Set) Int(key string) (n int64, ok bool) {
	number, ok := s.Number(key)
	return number.Int(), ok
}

// Digest names the content of the set: equal sets have equal digests.
func (s Set) Digest() string {
	hash := sha256.New()
	for _, tag := range s.tags {
		fmt.Fprintln(hash, tag)
	}
	for _, name := range slices.Sorted(maps.Keys(s.metadata)) {
		fmt.Fprintf(hash, "%q=%q\n", name, s.metadata[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// Equal reports whether both sets hold the same.
func (s Set) Equal(other Set) bool {
	return slices.Equal(s.tags, other.tags) && maps.Equal(s.metadata, other.metadata)
}

// with are the tags of one key, a part of the set.
func (s Set) with(key string) []Tag {
	start, found := slices.BinarySearchFunc(s.tags, key, func(t Tag, key string) int { return cmp.Compare(t.key, key) })
	if !found {
		return nil
	}
	end := start
	for end < len(s.tags) && s.tags[end].key == key {
		end++
	}
	return s.tags[start:end]
}

func greatest(tags []Tag) (max Number, ok bool) {
	for _, tag := range tags {
		if n, numeric := tag.Number(); numeric && (!ok || n.Compare(max) > 0) {
			max, ok = n, true
		}
	}
	return max, ok
}

type setJSON struct {
	Tags     []string          `json:"tags"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// MarshalJSON gives {"tags": [...], "metadata": {...}} with the tags in canonical order.
func (s Set) MarshalJSON() ([]byte, error) {
	document := setJSON{Tags: make([]string, len(s.tags)), Metadata: s.metadata}
	for i, tag := range s.tags {
		document.Tags[i] = tag.String()
	}
	return json.Marshal(document)
}

// UnmarshalJSON reads what MarshalJSON writes; the tags may stand in any order.
func (s *Set) UnmarshalJSON(text []byte) error {
	var document setJSON
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("capability set: %w", err)
	}
	set, err := ParseSet(document.Tags...)
	if err != nil {
		return err
	}
	*s, err = set.WithMetadata(document.Metadata)
	return err
}
