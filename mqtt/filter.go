package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxTopic is the length limit of MQTT strings in bytes.
const maxTopic = 65535

// Matches reports whether a topic filter lets a topic through. Wildcards in the first level do not match topics that
// begin with $.
func Matches(filter, topic string) bool {
	if wild(filter) && strings.HasPrefix(topic, "$") {
		return false
	}
	for {
		level, rest, more := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		part, left, deeper := strings.Cut(topic, "/")
		switch {
		case level != "+" && level != part:
			return false
		case !more && !deeper:
			return true
		case more && !deeper:
			return rest == "#"
		case !more:
			return false
		}
		filter, topic = rest, left
	}
}

// Covers reports whether every topic that narrow lets through, wide does too.
func Covers(wide, narrow string) bool {
	if wild(wide) && strings.HasPrefix(narrow, "$") {
		return false
	}
	for {
		level, rest, more := strings.Cut(wide, "/")
		if level == "#" {
			return true
		}
		part, left, deeper := strings.Cut(narrow, "/")
		switch {
		case part == "#", level != "+" && level != part:
			return false
		case !more && !deeper:
			return true
		case more && !deeper:
			return rest == "#"
		case !more:
			return false
		}
		wide, narrow = rest, left
	}
}

// Overlap reports whether some topic passes both filters.
func Overlap(a, b string) bool {
	if wild(a) && strings.HasPrefix(b, "$") || wild(b) && strings.HasPrefix(a, "$") {
		return false
	}
	for {
		x, restA, moreA := strings.Cut(a, "/")
		y, restB, moreB := strings.Cut(b, "/")
		switch {
		case x == "#" || y == "#":
			return true
		case x != y && x != "+" && y != "+":
			return false
		case !moreA && !moreB:
			return true
		case !moreA:
			return restB == "#"
		case !moreB:
			return restA == "#"
		}
		a, b = restA, restB
	}
}

func wild(filter string) bool {
	return strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")
}

// CheckTopic says why a topic cannot be published to.
func CheckTopic(topic string) error {
	if err := checkText(topic); err != nil {
		return fmt.Errorf("topic %q: %w", topic, err)
	}
	if strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("topic %q: + and # belong in filters", topic)
	}
	return nil
}

// CheckFilter says why a filter cannot be subscribed to.
func CheckFilter(filter string) error {
	if err := checkText(filter); err != nil {
		return fmt.Errorf("topic filter %q: %w", filter, err)
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case level == "#" && more:
			return fmt.Errorf("topic filter %q: # must be the last level", filter)
		case len(level) > 1 && strings.ContainsAny(level, "+#"):
			return fmt.Errorf("topic filter %q: + and # must fill a level of their own", filter)
		}
	}
	return nil
}

func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case len(s) > maxTopic:
		return fmt.Errorf("longer than %d bytes", maxTopic)
	case !utf8.ValidString(s):
		return errors.New("not UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return errors.New("contains a zero byte")
	}
	return nil
}
