package capability

import (
	"cmp"
	"slices"
)

// Set is what a node has: tags and free-text metadata. The zero set is empty and ready to use.
type Set struct {
	tags     []Tag // sorted by key, then value
	Metadata map[string]string
}

// NewSet holds the tags given, each once.
func NewSet(tags ...Tag) Set {
	sorted := slices.Clone(tags)
	slices.SortFunc(sorted, compare)
	return Set{tags: slices.Compact(sorted)}
}

// Tags lists the set in canonical order; the caller must not change it.
func (s Set) Tags() []Tag { return s.tags }

func compare(a, b Tag) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
}
