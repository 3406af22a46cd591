package mesh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxConfig is the longest configuration of a daemon in bytes.
const MaxConfig = 64 << 10

// The types of a Setting.
const (
	TypeNumber   = "number"   // 21.5
	TypeCount    = "count"    // 0, 1, 2, …
	TypeDuration = "duration" // "1m30s"
	TypeText     = "text"     // "abc"
	TypeTexts    = "texts"    // ["a", "b"]
	TypeBool     = "bool"     // true
)

// Settings reads a daemon's configuration against the settings its kind describes, with their defaults. It goes on
// after a mistake, so that Err can name them all.
type Settings struct {
	known    []Setting
	values   map[string]json.RawMessage
	problems []string
	refused  []string // the names of settings with a mistake
}

// SettingsError names every mistake of a configuration.
type SettingsError struct{ Problems []string }

func (e *SettingsError) Error() string { return "config: " + strings.Join(e.Problems, "; ") }

// ReadSettings reads a configuration, given as a JSON object; none at all is one without entries.
func ReadSettings(config []byte, known []Setting) *Settings {
	s := &Settings{known: known}
	switch {
	case len(config) > MaxConfig:
		s.problem("%d bytes, above %d", len(config), MaxConfig)
		return s
	case len(bytes.TrimSpace(config)) == 0:
		return s
	}
	if err := json.Unmarshal(config, &s.values); err != nil {
		s.problem("must be a JSON object: %v", err)
		return s
	}
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		if !slices.ContainsFunc(known, func(k Setting) bool { return k.Name == name }) {
			s.problem("%s: unknown setting%s", quoteName(name), nearest(name, known))
		}
	}
	return s
}

// Err is a SettingsError with every mistake found so far, nil when there is none.
func (s *Settings) Err() error {
	if len(s.problems) == 0 {
		return nil
	}
	return &SettingsError{Problems: s.problems}
}

// Refuse adds a mistake in the value of a setting; the first of each counts.
func (s *Settings) Refuse(name, format string, args ...any) {
	if !slices.Contains(s.refused, name) {
		s.refused = append(s.refused, name)
		s.problem("%s: %s", name, fmt.Sprintf(format, args...))
	}
}

// Given reports whether the configuration has the setting; null counts as absent.
func (s *Settings) Given(name string) bool {
	raw, ok := s.values[name]
	return ok && string(raw) != "null"
}

// Number reads a setting of the type number.
func (s *Settings) Number(name string) float64 {
	var n float64
	s.read(name, "a number", &n, func(text string) (err error) { n, err = strconv.ParseFloat(text, 64); return })
	return n
}

// Count reads a setting of the type count, which must lie between least and most.
func (s *Settings) Count(name string, least, most uint64) uint64 {
	var n uint64
	parse := func(text string) (err error) { n, err = strconv.ParseUint(text, 10, 64); return }
	if !s.read(name, "a whole number", &n, parse) {
		return least
	}
	if n < least || n > most {
		s.Refuse(name, "must be from %d to %d, not %d", least, most, n)
		return least
	}
	return n
}

// Duration reads a setting of the type duration, which must lie between least and most.
func (s *Settings) Duration(name string, least, most time.Duration) time.Duration {
	const want = `a duration such as "1m30s"`
	var text string
	if !s.read(name, want, &text, func(fallback string) error { text = fallback; return nil }) {
		return least
	}
	d, err := time.ParseDuration(text)
	switch {
	case text == "":
		return least
	case err != nil:
		s.Refuse(name, "must be %s, not %q", want, text)
		return least
	case d < least || d > most:
		s.Refuse(name, "must be from %v to %v, not %v", least, most, d)
		return least
	}
	return d
}

// Text reads a setting of the type text.
func (s *Settings) Text(name string) string {
	var text string
	s.read(name, "a text", &text, func(fallback string) error { text = fallback; return nil })
	return text
}

// Choice reads a setting of the type text that must be one of the choices.
func (s *Settings) Choice(name string, choices ...string) string {
	text := s.Text(name)
	if !slices.Contains(choices, text) {
		s.Refuse(name, "must be %s, not %q", strings.Join(choices, " or "), text)
	}
	return text
}

// Texts reads a setting of the type texts; its default is written with commas.
func (s *Settings) Texts(name string) []string {
	var texts []string
	parse := func(fallback string) error { texts = strings.Split(fallback, ","); return nil }
	s.read(name, "a list of texts", &texts, parse)
	return texts
}

// Bool reads a setting of the type bool.
func (s *Settings) Bool(name string) bool {
	var set bool
	s.read(name, "true or false", &set, func(text string) (err error) { set, err = strconv.ParseBool(text); return })
	return set
}

// Pointer reads a setting of the type text that leads into a JSON payload.
func (s *Settings) Pointer(name string) Pointer {
	p, err := ParsePointer(s.Text(name))
	if err != nil {
		s.Refuse(name, "%v", err)
	}
	return p
}

// read fills into from the configuration, or has the default parsed. It reports whether there was no mistake.
func (s *Settings) read(name, want string, into any, parse func(string) error) bool {
	i := slices.IndexFunc(s.known, func(k Setting) bool { return k.Name == name })
	if i < 0 {
		panic("mesh: setting " + name + " is read but not described")
	}
	if s.Given(name) {
		if err := json.Unmarshal(s.values[name], into); err != nil {
			s.Refuse(name, "must be %s, not %s", want, clip(s.values[name]))
			return false
		}
		return true
	}
	if s.known[i].Default == "" {
		return true
	}
	if err := parse(s.known[i].Default); err != nil {
		panic("mesh: default of setting " + name + ": " + err.Error())
	}
	return true
}

func (s *Settings) problem(format string, args ...any) {
	const most = 20
	if len(s.problems) < most {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

func clip(raw []byte) string {
	const most = 40
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "") + "…"
	}
	return string(raw)
}

func quoteName(name string) string {
	if len(name) <= 40 && strconv.Quote(name) == `"`+name+`"` && name != "" {
		return name
	}
	return strconv.Quote(clip([]byte(name)))
}

// nearest suggests the known setting that was probably meant.
func nearest(name string, known []Setting) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.Name
	}
	if best := Nearest(name, names); best != "" {
		return ": did you mean " + best + "?"
	}
	if len(names) == 0 {
		return ": there are none"
	}
	return ": known are " + strings.Join(names, ", ")
}

// Nearest is the known name that was probably meant, empty if none is near.
func Nearest(name string, known []string) string {
	best, least := "", 3
	if len(name) > 40 {
		return ""
	}
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements that lead from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
