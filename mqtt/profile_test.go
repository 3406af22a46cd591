package mqtt

import (
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

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
		"too deep":           {"generic", nil, []mesh.Send{{Topic: "1/2/3/4/5/6/7/8/9"}}, "8 slashes"},
		"space":              {"nats", []Subscription{{"a b", 1}}, nil, "no spaces"},
		"space elsewhere":    {"aws", []Subscription{{"a b", 1}}, nil, ""},
		"overlapping":        {"nats", []Subscription{{"a/+", 1}, {"+/b", 1}}, nil, "overlap"},
		"overlap elsewhere":  {"", []Subscription{{"a/+", 1}, {"+/b", 1}}, nil, ""},
		"not a filter":       {"", []Subscription{{"a/#/b", 1}}, nil, "must be the last"},
		"not a topic":        {"", nil, []mesh.Send{{Topic: "a/+"}}, "only filters may"},
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
