package order

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of topics that every broker in use keeps to.
const (
	MaxTopic   = 256 // bytes
	MaxSlashes = 7
)

// CheckTopic says why a message cannot be published there.
func CheckTopic(topic string) error {
	if strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("topic %s has a wildcard: only filters may", brief(topic))
	}
	return checkLevels("topic", topic)
}

// CheckFilter says why nothing can be subscribed with it.
func CheckFilter(filter string) error {
	if err := checkLevels("filter", filter); err != nil {
		return err
	}
	for i, level := range strings.Split(filter, "/") {
		switch {
		case level == "#" && i != strings.Count(filter, "/"):
			return fmt.Errorf("filter %s has levels behind #: it must be the last", brief(filter))
		case level != "#" && level != "+" && strings.ContainsAny(level, "+#"):
			return fmt.Errorf("filter %s has the level %s: a wildcard must be a level of its own", brief(filter), brief(level))
		}
	}
	return nil
}

func checkLevels(what, topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("%s is empty", what)
	case len(topic) > MaxTopic:
		return fmt.Errorf("%s has %d bytes, want at most %d", what, len(topic), MaxTopic)
	case strings.Count(topic, "/") > MaxSlashes:
		return fmt.Errorf("%s %s has %d slashes, want at most %d", what, brief(topic), strings.Count(topic, "/"), MaxSlashes)
	case topic[0] == '$':
		return fmt.Errorf("%s %s begins with $: such topics belong to the broker", what, brief(topic))
	case !utf8.ValidString(topic) || strings.ContainsFunc(topic, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%s %s has characters that are not text", what, brief(topic))
	}
	return nil
}

// Matches reports whether a filter lets a topic in. A wildcard in the first level lets no topic in that begins with $.
func Matches(filter, topic string) bool { return Covers(filter, topic) }

// Covers reports whether every topic that the second filter lets in is let in by the first.
func Covers(filter, other string) bool {
	if beginsWild(filter) && strings.HasPrefix(other, "$") {
		return false
	}
	if other == "#" {
		other = "+/#" // lets the same in: a topic has at least one level
	}
	for {
		level, rest, more := strings.Cut(filter, "/")
		otherLevel, otherRest, otherMore := strings.Cut(other, "/")
		switch {
		case level == "#":
			return true
		case otherLevel == "#", level != "+" && level != otherLevel:
			return false
		case !more && !otherMore:
			return true
		case !otherMore:
			return rest == "#" // a filter a/# lets in a too
		case !more:
			return false
		}
		filter, other = rest, otherRest
	}
}

// Overlap reports whether some topic is let in by both filters.
func Overlap(filter, other string) bool {
	if beginsWild(filter) && strings.HasPrefix(other, "$") || beginsWild(other) && strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		level, rest, more := strings.Cut(filter, "/")
		otherLevel, otherRest, otherMore := strings.Cut(other, "/")
		switch {
		case level == "#" || otherLevel == "#":
			return true
		case level != "+" && otherLevel != "+" && level != otherLevel:
			return false
		case !more && !otherMore:
			return true
		case !otherMore:
			return rest == "#"
		case !more:
			return otherRest == "#"
		}
		filter, other = rest, otherRest
	}
}

func beginsWild(filter string) bool {
	return strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")
}
