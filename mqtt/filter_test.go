package mqtt

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
)

func TestFilterMatches(t *testing.T) {
	for line, want := range map[string]bool{
		"a/b a/b": true, "a/b a/c": false, "a a/b": false, "a/b a": false,
		"+ a": true, "+ a/b": false, "a/+ a/b": true, "a/+ a": false, "a/+ a/": true, "+/+ /a": true, "/+ /a": true,
		"# a": true, "# a/b/c": true, "a/# a": true, "a/# a/b/c": true, "a/# ab": false, "+/b/# a/b": true,
		"# $SYS/x": false, "+/x $SYS/x": false, "$SYS/# $SYS/x": true, "+ $x": false,
	} {
		filter, topic, _ := strings.Cut(line, " ")
		if Matches(filter, topic) != want {
			t.Errorf("%s matches %s: want %v", filter, topic, want)
		}
	}
}

// levels draws filters and topics short enough to meet often.
func levels(words ...string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, "levels"), "/")
	})
}

var (
	someTopic  = levels("a", "b", "", "$a")
	someFilter = levels("a", "b", "", "+", "$a", "#").Filter(func(s string) bool { return CheckFilter(s) == nil })
)

func TestFiltersAgreeWithTheTopicsTheyMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, topic := someFilter.Draw(t, "a"), someFilter.Draw(t, "b"), someTopic.Draw(t, "topic")
		if Covers(a, b) && Matches(b, topic) && !Matches(a, topic) {
			t.Errorf("%s covers %s, but not for %s", a, b, topic)
		}
		if Matches(a, topic) && Matches(b, topic) && !Overlap(a, b) {
			t.Errorf("%s and %s overlap in %s", a, b, topic)
		}
		if Overlap(a, b) != Overlap(b, a) || Covers(a, b) && !strings.HasPrefix(b, "$") && !Overlap(a, b) {
			t.Errorf("%s and %s: overlap %v %v, covers %v", a, b, Overlap(a, b), Overlap(b, a), Covers(a, b))
		}
		if !Covers(a, a) || a != b && Covers(a, b) && Covers(b, a) {
			t.Errorf("%s covers %s: %v", a, b, Covers(a, b))
		}
		if Covers(a, topic) != Matches(a, topic) {
			t.Errorf("%s covers %s: %v", a, topic, Covers(a, topic))
		}
	})
}

func TestPlanBringsAllThatIsWanted(t *testing.T) {
	some := rapid.Custom(func(t *rapid.T) Subscription {
		return Subscription{someFilter.Draw(t, "filter"), rapid.ByteRange(0, 1).Draw(t, "qos")}
	})
	rapid.Check(t, func(t *rapid.T) {
		wanted := rapid.SliceOfN(some, 0, 12).Draw(t, "wanted")
		got := plan(wanted)
		for _, w := range wanted {
			if !slices.ContainsFunc(got, func(g Subscription) bool { return Covers(g.Filter, w.Filter) && g.QoS >= w.QoS }) {
				t.Errorf("%v is not in %v", w, got)
			}
		}
		for i, a := range got {
			for j, b := range got {
				if i != j && Covers(a.Filter, b.Filter) {
					t.Errorf("%v covers %v", a, b)
				}
			}
		}
		if again := plan(got); !slices.Equal(again, got) {
			t.Errorf("the plan of %v is %v", got, again)
		}
		have := plan(rapid.SliceOfN(some, 0, 12).Draw(t, "have"))
		ask, leave := difference(have, got)
		for _, filter := range leave {
			have = slices.DeleteFunc(have, func(s Subscription) bool { return s.Filter == filter })
		}
		for _, s := range ask {
			have = append(slices.DeleteFunc(have, func(h Subscription) bool { return h.Filter == s.Filter }), s)
		}
		slices.SortFunc(have, func(a, b Subscription) int { return strings.Compare(a.Filter, b.Filter) })
		if !slices.Equal(have, got) {
			t.Errorf("asking for %v and leaving %v gives %v, want %v", ask, leave, have, got)
		}
		for _, batch := range batches(ask, filtersPerSubscribe) {
			if len(batch) > filtersPerSubscribe {
				t.Errorf("a batch of %d", len(batch))
			}
		}
	})
}

func TestChecksRefuseWhatMQTTHasNotGot(t *testing.T) {
	for filter, want := range map[string]string{
		"": "must not be empty", "a/#/b": "# must be the last", "a+": "fill a level", "#a": "fill a level",
		"\xff": "not UTF-8", "a\x00": "zero byte", strings.Repeat("x", 70000): "longer than 65535",
	} {
		if err := CheckFilter(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.9q: %v, want %q", filter, err, want)
		}
	}
	for _, topic := range []string{"", "a/+", "#", "\xff"} {
		if CheckTopic(topic) == nil {
			t.Errorf("topic %q passes", topic)
		}
	}
	for _, filter := range []string{"#", "+", "/", "a//b", "+/a/#", "ä/ö"} {
		check(t, CheckFilter(filter))
	}
}

func TestProfileRefusesWhatTheBrokerCannotCarry(t *testing.T) {
	many := make([]Subscription, 51)
	for i := range many {
		many[i].Filter = strings.Repeat("x", i+1)
	}
	for name, c := range map[string]struct {
		profile string
		filters []Subscription
		sends   []mesh.Send
		want    string
	}{
		"too many filters":   {"aws", many, nil, "51 topic filters: a broker of profile aws allows 50"},
		"covered ones":       {"aws", append(many, Subscription{"#", 1}), nil, ""},
		"too deep":           {"aws", nil, []mesh.Send{{Topic: "1/2/3/4/5/6/7/8/9"}}, "allows 8 levels"},
		"too long":           {"aws", nil, []mesh.Send{{Topic: strings.Repeat("x", 257)}}, "of 257 bytes"},
		"deep elsewhere":     {"generic", nil, []mesh.Send{{Topic: "1/2/3/4/5/6/7/8/9"}}, ""},
		"white space":        {"nats", []Subscription{{"a b", 1}}, nil, "no white space"},
		"overlapping":        {"nats", []Subscription{{"a/+", 1}, {"+/b", 1}}, nil, "overlap"},
		"overlap elsewhere":  {"", []Subscription{{"a/+", 1}, {"+/b", 1}}, nil, ""},
		"not a filter":       {"", []Subscription{{"a/#/b", 1}}, nil, "must be the last level"},
		"not a topic":        {"", nil, []mesh.Send{{Topic: "a/+"}}, "belong in filters"},
		"a filter and above": {"nats", []Subscription{{"a/+", 1}, {"a/#", 1}}, nil, ""},
	} {
		err := must(ParseProfile(c.profile))(t).Check(c.filters, c.sends)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := ParseProfile("azure"); err == nil || !strings.Contains(err.Error(), "generic, aws, nats") {
		t.Errorf("unknown profile: %v", err)
	}
}
