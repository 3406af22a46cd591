package mqtt

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/edge-agent/edge-agent/order"
)

// plan is the smallest set of filters that brings what all wanted filters would, sorted. A filter covered by another
// gives way, and the one that stays has the higher QoS of both.
func plan(wanted []Subscription) []Subscription {
	best := map[string]byte{}
	for _, s := range wanted {
		best[s.Filter] = max(best[s.Filter], s.QoS)
	}
	filters := slices.Sorted(maps.Keys(best))
	out := make([]Subscription, 0, len(filters))
	for _, f := range filters {
		// Of two that let the same in, such as # and +/#, the first stays.
		covered := slices.ContainsFunc(filters, func(g string) bool {
			return g != f && order.Covers(g, f) && (g < f || !order.Covers(f, g))
		})
		if covered {
			continue
		}
		s := Subscription{Filter: f}
		for _, g := range filters {
			if order.Covers(f, g) {
				s.QoS = max(s.QoS, best[g])
			}
		}
		out = append(out, s)
	}
	return out
}

// difference says how to get from one plan to another: what to ask for first, and what to give up then.
func difference(have, want []Subscription) (ask []Subscription, leave []string) {
	for _, s := range want {
		if !slices.Contains(have, s) {
			ask = append(ask, s)
		}
	}
	for _, s := range have {
		if !slices.ContainsFunc(want, func(w Subscription) bool { return w.Filter == s.Filter }) {
			leave = append(leave, s.Filter)
		}
	}
	return ask, leave
}

// subscriptions is what all owners together want to hear.
type subscriptions struct {
	changed chan struct{}

	mu     sync.Mutex
	owners map[string][]Subscription
}

// set replaces what one owner wants by as much of it as can be asked for, and returns the rest with the reasons.
func (s *subscriptions) set(owner string, subs []Subscription, p Profile) map[Subscription]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owners, owner)
	var refused map[Subscription]error
	all := s.all()
	for _, sub := range subs {
		err := errors.Join(order.CheckFilter(sub.Filter), checkQoS(sub.QoS))
		if err == nil && p != (Profile{Name: p.Name}) {
			err = p.Check(append(all, sub), nil)
		}
		if err != nil {
			if refused == nil {
				refused = map[Subscription]error{}
			}
			refused[sub] = err
			continue
		}
		all = append(all, sub)
		s.owners[owner] = append(s.owners[owner], sub)
	}
	signal(s.changed)
	return refused
}

func (s *subscriptions) all() (all []Subscription) {
	for _, subs := range s.owners {
		all = append(all, subs...)
	}
	return all
}

func (s *subscriptions) plan() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return plan(s.all())
}

// batches cuts a list into pieces of at most n, in order of the filters.
func batches(subs []Subscription, n int) [][]Subscription {
	slices.SortFunc(subs, func(a, b Subscription) int { return cmp.Compare(a.Filter, b.Filter) })
	return slices.Collect(slices.Chunk(subs, n))
}
