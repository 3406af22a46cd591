package probe

import (
	"slices"
	"strings"
)

// Word is one key of the vocabulary. A segment N of the key stands for an index, NAME for any one name.
type Word struct {
	Key     string
	Many    bool   // one machine can have several values of it
	Unit    string // of the value: GiB, MiB, bytes, count, text …; empty for a tag without value
	Meaning string
	From    string // where it is read
	Since   string // first version of the agent that speaks it
	Nomad   string // the Nomad attribute that says the same, where there is one
	NFD     string // the label of node-feature-discovery or GPU feature discovery
	Node    string // the metric of node_exporter
}

// Vocabulary is every word any subject may say, in the order of the subjects.
func Vocabulary() []Word {
	var words []Word
	for _, s := range Subjects() {
		words = append(words, s.Words...)
	}
	return words
}

// Lookup finds the word for a key, and the subject that says it.
func Lookup(key string) (subject string, w Word, ok bool) {
	for _, s := range Subjects() {
		if w, ok := find(s.Words, key); ok {
			return s.Name, w, true
		}
	}
	return "", Word{}, false
}

// find is the word for a key, if the vocabulary has it.
func find(words []Word, key string) (Word, bool) {
	for _, w := range words {
		if matches(w.Key, key) {
			return w, true
		}
	}
	return Word{}, false
}

func matches(pattern, key string) bool {
	if pattern == key {
		return true
	}
	for {
		p, pattern2, more := strings.Cut(pattern, ".")
		k, key2, more2 := strings.Cut(key, ".")
		if more != more2 || !segment(p, k) {
			return false
		}
		if !more {
			return true
		}
		pattern, key = pattern2, key2
	}
}

func segment(pattern, s string) bool {
	switch pattern {
	case "N":
		return s != "" && strings.Trim(s, "0123456789") == ""
	case "NAME":
		return s != ""
	}
	return pattern == s
}

// sortWords orders words that were made from a map.
func sortWords(words []Word) {
	slices.SortFunc(words, func(a, b Word) int { return strings.Compare(a.Key, b.Key) })
}
