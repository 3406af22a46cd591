package mqtt

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/order"
)

// levels draws filters and topics short enough to meet often.
func levels(words ...string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, "levels"), "/")
	})
}

var someFilter = levels("a", "b", "", "+", "#").Filter(func(s string) bool { return order.CheckFilter(s) == nil })

func TestPlanBringsAllThatIsWanted(t *testing.T) {
	some := rapid.Custom(func(t *rapid.T) Subscription {
		return Subscription{someFilter.Draw(t, "filter"), rapid.ByteRange(0, 1).Draw(t, "qos")}
	})
	rapid.Check(t, func(t *rapid.T) {
		wanted := rapid.SliceOfN(some, 0, 12).Draw(t, "wanted")
		got := plan(wanted)
		for _, w := range wanted {
			served := func(g Subscription) bool { return order.Covers(g.Filter, w.Filter) && g.QoS >= w.QoS }
			if !slices.ContainsFunc(got, served) {
				t.Errorf("%v is not in %v", w, got)
			}
		}
		for i, a := range got {
			for j, b := range got {
				if i != j && order.Covers(a.Filter, b.Filter) {
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

func TestFilterThatIsNoneIsAnsweredAtOnce(t *testing.T) {
	s := embedded(t, BrokerOptions{})
	n := prepare(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node"})
	n.Subscribe("x", Subscription{"a/#/b", 1}, Subscription{"good", 1}, Subscription{"bad", 2})
	for _, filter := range []string{"a/#/b", "bad"} {
		if n.granted[filter] == nil {
			t.Errorf("%s is not refused", filter)
		}
	}
	n.run(t)
	n.until(t, "the good one", func() bool { err, ok := n.granted["good"]; return ok && err == nil })
}

func TestProfileRefusesASubscriptionAtOnce(t *testing.T) {
	n := prepare(t, Options{
		Brokers: []string{"tcp://127.0.0.1:1"}, ClientID: "fleet:node", Profile: must(ParseProfile("nats"))(t),
	})
	n.Subscribe("a", Subscription{"plant/+/t", 1})
	n.Subscribe("b", Subscription{"plant/press/+", 1}, Subscription{"other", 1})
	if err := n.granted["plant/press/+"]; err == nil || !strings.Contains(err.Error(), "overlap") || len(n.granted) != 1 {
		t.Errorf("answers %v", n.granted)
	}
	n.Subscribe("a")
	n.Subscribe("b", Subscription{"plant/press/+", 1}, Subscription{"other", 1})
	if got := n.subs.plan(); len(got) != 2 || len(n.granted) != 1 {
		t.Errorf("plan %v, answers %v", got, n.granted)
	}
}
