package capability

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a filter's text.
const (
	MaxFilter = 4096 // bytes
	MaxTerms  = 64
	maxDepth  = 16
)

// ParseFilter reads terms joined by and, or, not and parentheses. A term is a tag's key alone, or a key and a value
// joined by == (= and : say the same), !=, >=, <=, > or <. Besides keys it knows memory_mb, vram_mb (of the largest
// single GPU), context, vendor, model, tool and modality. Empty text is the zero filter; other text that every node
// would meet is an error.
func ParseFilter(text string) (Filter, error) {
	if len(text) > MaxFilter {
		return Filter{}, fmt.Errorf("filter of %d bytes, above %d", len(text), MaxFilter)
	}
	if strings.TrimSpace(text) == "" {
		return Filter{}, nil
	}
	p := &parser{text: text}
	root, err := p.either(0)
	if err == nil && !p.done() {
		err = fmt.Errorf("%s stands where and, or or the end should", p.rest())
	}
	if err != nil {
		return Filter{}, fmt.Errorf("filter %s: at byte %d: %w", quoted(text), p.at, err)
	}
	if !root.narrows() {
		return Filter{}, fmt.Errorf("filter %s does not narrow: every node meets it; leave it out", quoted(text))
	}
	return Filter{root: root}, nil
}

// MustFilter is ParseFilter of a text that is part of the program: it panics on an error.
func MustFilter(text string) Filter {
	f, err := ParseFilter(text)
	if err != nil {
		panic(err)
	}
	return f
}

type parser struct {
	text  string
	at    int
	terms int
}

func (p *parser) either(depth int) (*node, error) { return p.list(depth, "or", anyOf, p.every) }

func (p *parser) every(depth int) (*node, error) { return p.list(depth, "and", allOf, p.one) }

// list reads parts with the word between them.
func (p *parser) list(depth int, word string, j join, next func(int) (*node, error)) (*node, error) {
	var parts []*node
	for {
		part, err := next(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if !p.takeWord(word) {
			return joined(j, parts), nil
		}
	}
}

func (p *parser) one(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	if p.takeWord("not") {
		n, err := p.one(depth + 1)
		if err != nil {
			return nil, err
		}
		return n.negated(), nil
	}
	if !p.take("(") {
		return p.term()
	}
	n, err := p.either(depth + 1)
	if err == nil && !p.take(")") {
		err = fmt.Errorf("a closing parenthesis is missing")
	}
	return n, err
}

func (p *parser) term() (*node, error) {
	if p.terms++; p.terms > MaxTerms {
		return nil, fmt.Errorf("more than %d terms", MaxTerms)
	}
	start := p.at
	subject, err := p.subject()
	if err != nil {
		return nil, err
	}
	op, not, found := p.operator()
	value := ""
	if found {
		if value, err = p.value(); err != nil {
			return nil, err
		}
	}
	t, err := newTerm(subject, op, value)
	if err != nil {
		p.at = start
		return nil, err
	}
	t.not = not
	return &node{term: t}, nil
}

func (p *parser) subject() (string, error) {
	p.space()
	word := p.run(isSubjectRune)
	if slices.Contains(reserved[:], word) && strings.HasPrefix(p.text[p.at:], ":") {
		p.at++
		word += ":" + p.run(isSubjectRune)
	}
	switch word {
	case "":
		return "", fmt.Errorf("%s stands where a tag such as hardware.gpu should", p.rest())
	case "and", "or", "not":
		p.at -= len(word)
		return "", fmt.Errorf("%s stands where a tag should", word)
	}
	return word, nil
}

// operator reads what joins subject and value, if anything does.
func (p *parser) operator() (op operator, not, found bool) {
	for _, o := range []struct {
		text string
		op   operator
		not  bool
	}{{"==", equal, false}, {"!=", equal, true}, {">=", atLeast, false}, {"<=", atMost, false},
		{"=", equal, false}, {":", equal, false}, {">", above, false}, {"<", below, false}} {
		if p.take(o.text) {
			return o.op, o.not, true
		}
	}
	return exists, false, false
}

func (p *parser) value() (string, error) {
	p.space()
	if !p.take(`"`) {
		value := p.run(isBare)
		if value == "" {
			return "", fmt.Errorf("%s stands where a value should; put quotes around text with spaces", p.rest())
		}
		return value, nil
	}
	var value strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		if c == '"' {
			return value.String(), nil
		}
		if c == '\\' && p.at < len(p.text) {
			c = p.text[p.at]
			p.at++
		}
		value.WriteByte(c)
	}
	return "", fmt.Errorf("a closing quote is missing")
}

// takeWord takes the word if it stands here as a word of its own.
func (p *parser) takeWord(word string) bool {
	p.space()
	start := p.at
	if strings.EqualFold(p.run(isSubjectRune), word) {
		return true
	}
	p.at = start
	return false
}

func (p *parser) take(text string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], text) {
		p.at += len(text)
		return true
	}
	return false
}

func (p *parser) run(in func(rune) bool) string {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return !in(r) })
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end]
}

func (p *parser) space() { p.run(func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) }

func (p *parser) done() bool {
	p.space()
	return p.at == len(p.text)
}

// rest is what comes next, for an error message.
func (p *parser) rest() string {
	if p.done() {
		return "the end"
	}
	return quoted(p.run(func(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) }))
}

// isSubjectRune lets capitals through, so that the error about them names the whole word.
func isSubjectRune(r rune) bool { return isWordRune(r) || r == '.' || 'A' <= r && r <= 'Z' }

// isBare is what a value can hold without quotes.
func isBare(r rune) bool {
	return r != utf8.RuneError && !strings.ContainsRune(" \t\r\n()\"\\<>=!", r)
}
