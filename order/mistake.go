package order

import (
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing wrong with a document.
type Mistake struct {
	Path    string `json:"path"`    // such as spec.inputs[0].qos; empty for the document itself
	Problem string `json:"problem"` // such as: is 3
	Want    string `json:"want"`    // what to write instead
	Unknown `json:"-"`
}

func (m Mistake) String() string {
	path := m.Path
	if path == "" {
		path = "the document"
	}
	return path + " " + m.Problem + ": " + m.Want
}

// Mistakes are all that is wrong with a document, in the order of its fields.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.String()
	}
	return strings.Join(lines, "; ")
}

// maxMistakes bounds what one document is told.
const maxMistakes = 32

func (m *Mistakes) add(path, problem, want string) {
	if len(*m) < maxMistakes {
		*m = append(*m, Mistake{Path: path, Problem: problem, Want: want})
	}
}

func (m Mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

// VersionError is a document of a major version that this program does not speak.
type VersionError struct {
	Document string
	Version  uint64
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s of version %d: this program speaks version %d; use a newer one", e.Document, e.Version, Version)
}

// brief quotes text for a mistake, cut when it is long.
func brief(text string) string {
	if len(text) > 64 {
		return fmt.Sprintf("%.64q…", text)
	}
	return fmt.Sprintf("%q", text)
}

func field(path, name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) || name == "" {
		return fmt.Sprintf("%s[%s]", path, brief(name))
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// addUnrelated adds what a later check found, but for what follows from a mistake already known above or below it.
func (m *Mistakes) addUnrelated(later Mistakes) {
	known := *m
	for _, mistake := range later {
		related := func(other Mistake) bool { return within(mistake.Path, other.Path) || within(other.Path, mistake.Path) }
		if !slices.ContainsFunc(known, related) {
			m.add(mistake.Path, mistake.Problem, mistake.Want)
		}
	}
}

// within reports whether the path is the outer one or a part of it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || outer == "" || rest[0] == '.' || rest[0] == '[')
}
