package order_test

import (
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/order"
	"pgregory.net/rapid"
)

func TestFilterLetsTopicsIn(t *testing.T) {
	tests := []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a", false}, {"a", "a/b", false}, {"a/+", "a/b", true}, {"a/+", "a", false},
		{"a/+", "a/", true}, {"+", "/a", false}, {"+/+", "/a", true}, {"a/#", "a/b/c", true}, {"a/#", "a", true},
		{"#", "a/b", true}, {"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true},
		{"a/+/c", "a/b/c", true}, {"a/+/c", "a/b/d", false},
	}
	for _, test := range tests {
		if got := order.Matches(test.filter, test.topic); got != test.want {
			t.Errorf("%s lets %s in: %v", test.filter, test.topic, got)
		}
	}
}

// everyTopic is all topics over few levels, deep enough for the filters of anyFilter.
func everyTopic() []string {
	topics := []string{"a", "b", "c"}
	for start, depth := 0, 1; depth < 4; depth++ {
		end := len(topics)
		for _, parent := range topics[start:end] {
			topics = append(topics, parent+"/a", parent+"/b", parent+"/c")
		}
		start = end
	}
	return topics
}

func TestCoversAndOverlapAreWhatTopicsSay(t *testing.T) {
	topics := everyTopic()
	anyFilter := rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "+"}), 1, 3).Draw(t, "levels")
		if rapid.Bool().Draw(t, "open") {
			levels = append(levels[:len(levels)-1], "#")
		}
		return strings.Join(levels, "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		one, other := anyFilter.Draw(t, "one"), anyFilter.Draw(t, "other")
		covers, overlap := true, false
		for _, topic := range topics {
			inOne, inOther := order.Matches(one, topic), order.Matches(other, topic)
			covers = covers && (inOne || !inOther)
			overlap = overlap || inOne && inOther
		}
		if got := order.Covers(one, other); got != covers {
			t.Fatalf("%s covers %s: %v", one, other, got)
		}
		if got := order.Overlap(one, other); got != overlap || order.Overlap(other, one) != overlap {
			t.Fatalf("%s overlaps %s: %v", one, other, got)
		}
	})
}

func TestFiltersAndTopicsAreRefused(t *testing.T) {
	tests := []struct{ name, filter, want string }{
		{"nothing", "", "empty"},
		{"levels behind #", "a/#/b", "must be the last"},
		{"# in a level", "a/b#", "a level of its own"},
		{"+ in a level", "a+/b", "a level of its own"},
		{"the broker's own", "$SYS/#", "belong to the broker"},
		{"a shared subscription", "$share/g/a", "belong to the broker"},
		{"many levels", "a/a/a/a/a/a/a/a/a", "at most 7"},
		{"many bytes", strings.Repeat("a", 257), "at most 256"},
		{"a zero byte", "a\x00", "not text"},
		{"bytes that are not UTF-8", "a\xff", "not text"},
	}
	for _, test := range tests {
		if err := order.CheckFilter(test.filter); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	for _, filter := range []string{"a", "#", "+", "+/+", "a/+/b/#", "/a", "a/", "a b/ä"} {
		if err := order.CheckFilter(filter); err != nil {
			t.Errorf("%s: %v", filter, err)
		}
	}
	if err := order.CheckTopic("a/+/b"); err == nil {
		t.Error("a wildcard can be published to")
	}
}
