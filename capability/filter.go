package capability

import (
	"fmt"
	"slices"
	"strings"
)

// Filter says which nodes will do. The zero filter matches every node; a filter never changes.
type Filter struct {
	root *node // nil matches every node
}

// node is an expression in which only terms are negated: and, or, and terms.
type node struct {
	join  join
	parts []*node // of a join, at least two, none of the same join
	term  term
}

type join uint8

const (
	leaf join = iota
	allOf
	anyOf
)

// All matches where every one of the filters does.
func All(filters ...Filter) Filter {
	var parts []*node
	for _, f := range filters {
		if f.root != nil {
			parts = append(parts, f.root)
		}
	}
	return Filter{root: joined(allOf, parts)}
}

// IsZero reports whether the filter matches every node.
func (f Filter) IsZero() bool { return f.root == nil }

// Match reports whether a node with the set will do, and if not, each term that must be met before it does. Of
// alternatives it lists the one with the fewest terms to meet.
func (f Filter) Match(set Set) (ok bool, unmet []Unmet) {
	if f.root == nil || f.root.verdict(set) == yes {
		return true, nil
	}
	return false, f.root.unmet(set)
}

// String is the canonical text, which ParseFilter reads back.
func (f Filter) String() string {
	if f.root == nil {
		return ""
	}
	var b strings.Builder
	f.root.write(&b)
	return b.String()
}

// Equal reports whether both filters have the same canonical text.
func (f Filter) Equal(other Filter) bool { return f.String() == other.String() }

// MarshalText is String.
func (f Filter) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is ParseFilter.
func (f *Filter) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFilter(string(text))
	return err
}

// Needs is the published form of a filter. What is left out asks for nothing.
type Needs struct {
	Tags       []Tag    // all of them
	Models     []string // any of these model ids
	Tools      []string // any of these tool ids
	MemoryMB   int64    // at least
	GPU        bool
	Vendor     string   // of a GPU, such as nvidia; asks for a GPU
	VRAMMB     int64    // at least, in the largest single GPU; asks for a GPU
	Context    int64    // at least, in any model
	Modalities []string // each in some model
}

// Filter refuses needs that are set and yet ask for nothing.
func (n Needs) Filter() (Filter, error) {
	var parts []*node
	for _, tag := range n.Tags {
		op := exists
		if tag.value != "" {
			op = equal
		}
		term, err := newTerm(tag.key, op, tag.value)
		if err != nil {
			return Filter{}, err
		}
		parts = append(parts, &node{term: term})
	}
	for _, ask := range []struct {
		subject string
		values  []string
		join    join
	}{{subjectModel, n.Models, anyOf}, {subjectTool, n.Tools, anyOf}, {subjectModality, n.Modalities, allOf}} {
		var terms []*node
		for _, value := range ask.values {
			term, err := newTerm(ask.subject, equal, value)
			if err != nil {
				return Filter{}, err
			}
			terms = append(terms, &node{term: term})
		}
		if len(terms) > 0 {
			parts = append(parts, joined(ask.join, terms))
		}
	}
	if n.GPU || n.Vendor != "" || n.VRAMMB != 0 {
		parts = append(parts, &node{term: term{subject: keyGPU}})
	}
	if n.Vendor != "" {
		term, err := newTerm(subjectVendor, equal, n.Vendor)
		if err != nil {
			return Filter{}, err
		}
		parts = append(parts, &node{term: term})
	}
	for _, ask := range []struct {
		subject string
		least   int64
	}{{subjectMemory, n.MemoryMB}, {subjectVRAM, n.VRAMMB}, {subjectContext, n.Context}} {
		if ask.least == 0 {
			continue
		}
		term, err := newTerm(ask.subject, atLeast, Whole(ask.least).String())
		if err != nil {
			return Filter{}, err
		}
		parts = append(parts, &node{term: term})
	}
	return Filter{root: joined(allOf, parts)}, nil
}

// joined keeps joins flat and never joins a single part.
func joined(j join, parts []*node) *node {
	var flat []*node
	for _, part := range parts {
		if part.join == j {
			flat = append(flat, part.parts...)
		} else {
			flat = append(flat, part)
		}
	}
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return flat[0]
	}
	return &node{join: j, parts: flat}
}

// negated moves a not down to the terms.
func (n *node) negated() *node {
	if n.join == leaf {
		term := n.term
		term.not = !term.not
		return &node{term: term}
	}
	parts := make([]*node, len(n.parts))
	for i, part := range n.parts {
		parts[i] = part.negated()
	}
	return joined(allOf+anyOf-n.join, parts)
}

func (n *node) verdict(set Set) verdict {
	switch n.join {
	case leaf:
		return n.term.verdict(set)
	case allOf:
		worst := yes
		for _, part := range n.parts {
			worst = min(worst, part.verdict(set))
		}
		return worst
	}
	best := no
	for _, part := range n.parts {
		best = max(best, part.verdict(set))
	}
	return best
}

func (n *node) unmet(set Set) []Unmet {
	if n.verdict(set) == yes {
		return nil
	}
	if n.join == leaf {
		return []Unmet{n.term.unmet(set)}
	}
	var all, fewest []Unmet
	for _, part := range n.parts {
		unmet := part.unmet(set)
		all = append(all, unmet...)
		if fewest == nil || len(unmet) < len(fewest) {
			fewest = unmet
		}
	}
	if n.join == anyOf {
		return fewest
	}
	return all
}

func (n *node) write(b *strings.Builder) {
	if n.join == leaf {
		b.WriteString(n.term.String())
		return
	}
	word := " and "
	if n.join == anyOf {
		word = " or "
	}
	for i, part := range n.parts {
		if i > 0 {
			b.WriteString(word)
		}
		if part.join == anyOf {
			fmt.Fprintf(b, "(%s)", Filter{root: part})
			continue
		}
		part.write(b)
	}
}

// narrows reports whether some node fails the filter. Comparisons fail where nothing is known, so only a filter that
// is met by the mere presence and absence of tags can let every node pass.
func (n *node) narrows() bool {
	keys := n.presences(nil)
	if len(keys) > maxPresences {
		return true
	}
	for chosen := range uint(1) << len(keys) {
		tags := make([]Tag, 0, len(keys))
		for i, key := range keys {
			if chosen>>i&1 == 1 {
				tags = append(tags, Tag{key: key})
			}
		}
		if set, _ := NewSet(tags...); n.verdict(set) != yes {
			return true
		}
	}
	return false
}

// maxPresences bounds the work of narrows.
const maxPresences = 10

func (n *node) presences(keys []string) []string {
	if n.join == leaf && n.term.op == exists && !slices.Contains(keys, n.term.subject) {
		keys = append(keys, n.term.subject)
	}
	for _, part := range n.parts {
		keys = part.presences(keys)
	}
	return keys
}
