package capability

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// verdict is what a term makes of a set; unknown is neither met nor, negated, unmet.
type verdict uint8

const (
	no verdict = iota
	unknown
	yes
)

type operator uint8

const (
	exists operator = iota
	equal
	atLeast
	atMost
	above
	below
)

var operators = [...]string{exists: "", equal: "==", atLeast: ">=", atMost: "<=", above: ">", below: "<"}

// term is one question about a set: whether a subject is there, or how one of its values compares.
type term struct {
	subject string
	op      operator
	value   Tag // what to compare with; its key is not used
	not     bool
}

// newTerm refuses what could never be met and what could never fail.
func newTerm(subject string, op operator, text string) (term, error) {
	t := term{subject: subject, op: op}
	bare := numbersOnly(subject) || textOnly(subject)
	if !bare {
		if err := checkKey(subject); err != nil {
			return t, fmt.Errorf("term %s: %w", quoted(subject), err)
		}
	}
	if op == exists {
		if bare {
			return t, fmt.Errorf("term %s: say what it must be, as in %s", subject, example(subject))
		}
		return t, nil
	}
	if err := checkValue(text); err != nil {
		return t, fmt.Errorf("term %s: %w", subject, err)
	}
	if subject == subjectVendor || subject == subjectModality {
		text = strings.ToLower(text)
	}
	number, numeric, err := readNumber(text)
	if err != nil {
		return t, fmt.Errorf("term %s: %w", subject, err)
	}
	t.value = Tag{value: text, number: number, numeric: numeric && !textOnly(subject)}
	switch {
	case textOnly(subject) && op != equal:
		return t, fmt.Errorf("term %s%s%s: is a text: compare it with == or !=", subject, operators[op], quoted(text))
	case (op != equal || numbersOnly(subject)) && !numeric:
		return t, fmt.Errorf("term %s%s%s: want a number such as 2048", subject, operators[op], quoted(text))
	case numbersOnly(subject) && number.Compare(Number{}) <= 0:
		return t, fmt.Errorf("term %s%s%s: does not narrow: want a number above 0", subject, operators[op], text)
	}
	return t, nil
}

func example(subject string) string {
	if numbersOnly(subject) {
		return subject + ">=2048"
	}
	return subject + "==NAME"
}

func (t term) verdict(set Set) verdict {
	v := t.affirmed(set)
	if t.not {
		return yes - v
	}
	return v
}

func (t term) affirmed(set Set) verdict {
	if t.op == exists {
		if set.HasKey(t.subject) {
			return yes
		}
		return no
	}
	v := unknown
	for tag := range answers(set, t.subject) {
		switch {
		case t.op == equal && t.equals(tag):
			return yes
		case t.op == equal && !numbersOnly(t.subject):
			v = no
		case !tag.numeric:
		case t.compares(tag.number.Compare(t.value.number)):
			return yes
		default:
			v = no
		}
	}
	return v
}

func (t term) equals(tag Tag) bool {
	switch {
	case t.value.numeric && tag.numeric:
		return tag.number.Compare(t.value.number) == 0
	case t.subject == subjectVendor || t.subject == subjectModality:
		return strings.EqualFold(tag.value, t.value.value)
	}
	return tag.value == t.value.value
}

func (t term) compares(sign int) bool {
	switch t.op {
	case equal:
		return sign == 0
	case atLeast:
		return sign >= 0
	case atMost:
		return sign <= 0
	case above:
		return sign > 0
	}
	return sign < 0
}

// String is the term as a filter's text has it.
func (t term) String() string {
	value := t.value.value
	if strings.ContainsFunc(value, func(r rune) bool { return !isBare(r) }) {
		value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	switch {
	case !t.not:
		return t.subject + operators[t.op] + value
	case t.op == equal:
		return t.subject + "!=" + value
	}
	return "not " + t.subject + operators[t.op] + value
}

// Unmet is a term of a filter, or a required tag, that a node does not meet.
type Unmet struct {
	Term   string `json:"term"`
	Have   string `json:"have,omitempty"` // what the node has instead; empty when it has nothing
	Change string `json:"change"`         // the smallest change that would meet the term
}

// String is a sentence for people.
func (u Unmet) String() string {
	have := "nothing is known"
	if u.Have != "" {
		have = "it has " + u.Have
	}
	return fmt.Sprintf("needs %s, but %s: %s", u.Term, have, u.Change)
}

// maxHave bounds how many values an Unmet lists.
const maxHave = 4

func (t term) unmet(set Set) Unmet {
	u := Unmet{Term: t.String()}
	if t.op == exists {
		u.Change = "a node with " + t.subject
		if t.not {
			u.Have, u.Change = t.subject, "a node without "+t.subject
		}
		return u
	}
	var have []string
	for tag := range answers(set, t.subject) {
		if len(have) == maxHave {
			have = append(have, "…")
			break
		}
		have = append(have, tag.value)
	}
	u.Have = strings.Join(have, ", ")
	u.Change = t.change(set)
	return u
}

func (t term) change(set Set) string {
	if t.op == equal || t.not {
		if t.not {
			return fmt.Sprintf("a node where %s is known and not %s%s", t.subject, operators[t.op], t.value.value)
		}
		return fmt.Sprintf("a node where %s is %s", t.subject, t.value.value)
	}
	best, known := t.nearest(set)
	if !known {
		return fmt.Sprintf("a node where %s is known", t.subject)
	}
	return fmt.Sprintf("%s %s instead of %s", t.subject, bounds[t.op]+t.value.value, best)
}

var bounds = [...]string{atLeast: "of at least ", atMost: "of at most ", above: "above ", below: "below "}

// nearest is the value of the set that comes closest to meeting the term.
func (t term) nearest(set Set) (best Number, known bool) {
	for tag := range answers(set, t.subject) {
		if !tag.numeric {
			continue
		}
		sign := tag.number.Compare(best)
		if !known || (t.op == atLeast || t.op == above) == (sign > 0) {
			best, known = tag.number, true
		}
	}
	return best, known
}

// Unmet lists what the set lacks of the required tags and metadata.
func (s Set) Unmet(required Set) []Unmet {
	var unmet []Unmet
	for _, tag := range required.Minus(s) {
		have, _ := s.Text(tag.key)
		unmet = append(unmet, Unmet{Term: tag.String(), Have: have, Change: "a node with " + tag.String()})
	}
	for _, name := range slices.Sorted(maps.Keys(required.metadata)) {
		want, have := required.metadata[name], s.metadata[name]
		if want != have {
			term := fmt.Sprintf("metadata %s=%s", name, want)
			unmet = append(unmet, Unmet{Term: term, Have: have, Change: "a node with " + term})
		}
	}
	return unmet
}
