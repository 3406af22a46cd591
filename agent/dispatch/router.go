package dispatch

import (
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

const (
	routeSets = 2048
	routeWays = 4 // routes in a set
	// longestCached is the longest topic whose route is remembered.
	longestCached = 256
	// stubbornness is how many topics without a remembered route pass before one takes the place of another.
	stubbornness = 16
)

// router finds the bindings of a topic. Routes are remembered up to a bound; topics beyond it are matched against the
// tree of filters each time. Neither allocates. It belongs to the loop.
type router struct {
	root    branch
	routes  [routeSets][routeWays]*route
	version uint32 // of the tree; routes of another are made anew
	misses  uint32
	scratch route
}

// route is where the messages of a topic go.
type route struct {
	topic   string
	version uint32
	targets []target
	single  [1]target // the memory of most targets
}

// target is one port, with the last value that it saw on the topic where it must know.
type target struct {
	port *port
	last *lastValue
}

// branch is one level of the tree of filters.
type branch struct {
	below map[string]*branch
	plus  *branch
	ends  []*port // filters that end here
	rest  []*port // filters that end in # below here
}

func (t *router) add(p *port) {
	t.version++
	b := &t.root
	for level := range strings.SplitSeq(p.Filter, "/") {
		if level == "#" {
			b.rest = append(b.rest, p)
			return
		}
		b = b.grow(level)
	}
	b.ends = append(b.ends, p)
}

func (b *branch) grow(level string) *branch {
	next := b.child(level)
	if next != nil {
		return next
	}
	next = &branch{}
	if level == "+" {
		b.plus = next
		return next
	}
	if b.below == nil {
		b.below = make(map[string]*branch)
	}
	b.below[level] = next
	return next
}

func (b *branch) child(level string) *branch {
	if level == "+" {
		return b.plus
	}
	return b.below[level]
}

func (t *router) remove(p *port) {
	t.version++
	t.root.remove(p.Filter, p)
}

func (b *branch) remove(filter string, p *port) {
	is := func(q *port) bool { return q == p }
	level, rest, more := strings.Cut(filter, "/")
	if level == "#" {
		b.rest = slices.DeleteFunc(b.rest, is)
		return
	}
	next := b.child(level)
	if next == nil {
		return
	}
	if more {
		next.remove(rest, p)
	} else {
		next.ends = slices.DeleteFunc(next.ends, is)
	}
	if len(next.below) > 0 || next.plus != nil || len(next.ends) > 0 || len(next.rest) > 0 {
		return
	}
	if level == "+" {
		b.plus = nil
	} else {
		delete(b.below, level)
	}
}

// find returns the route of a topic, valid until the next find.
func (t *router) find(topic string) *route {
	set := &t.routes[xxh3.HashString(topic)%routeSets]
	for _, r := range set {
		if r != nil && r.topic == topic && r.version == t.version {
			return r
		}
	}
	return t.miss(set, topic)
}

func (t *router) miss(set *[routeWays]*route, topic string) *route {
	place := slices.IndexFunc(set[:], func(r *route) bool { return r == nil || r.topic == topic })
	if place < 0 {
		place = slices.IndexFunc(set[:], func(r *route) bool { return r.version != t.version })
	}
	if place < 0 {
		if t.misses++; t.misses%stubbornness == 0 {
			place = int(t.misses/stubbornness) % len(set)
		}
	}
	if place < 0 || len(topic) > longestCached {
		t.fill(&t.scratch, topic)
		return &t.scratch
	}
	if set[place] == nil {
		set[place] = &route{}
	}
	t.fill(set[place], topic)
	set[place].topic = strings.Clone(topic)
	return set[place]
}

// fill makes the route of a topic: one target for each daemon, by the first of its bindings that matches.
func (t *router) fill(r *route, topic string) {
	r.topic, r.version = topic, t.version
	if r.targets == nil {
		r.targets = r.single[:0]
	}
	r.targets = t.root.match(r.targets[:0], topic, true)
	slices.SortFunc(r.targets, func(a, b target) int { return int(int32(a.port.order - b.port.order)) })
	r.targets = slices.CompactFunc(r.targets, func(a, b target) bool { return a.port.to == b.port.to })
	for i := range r.targets {
		p := r.targets[i].port
		if p.Retained == Once && !p.to.durable {
			r.targets[i].last = p.to.ledger.lastValue(topic)
		}
	}
}

func (b *branch) match(found []target, topic string, first bool) []target {
	level, rest, more := strings.Cut(topic, "/")
	// Wildcards on the first level leave out the broker's own topics.
	wild := !first || !strings.HasPrefix(level, "$")
	if wild {
		found = appendTargets(found, b.rest)
	}
	for _, next := range [2]*branch{b.below[level], b.plus} {
		if next == nil || next == b.plus && !wild {
			continue
		}
		if more {
			found = next.match(found, rest, false)
			continue
		}
		found = appendTargets(found, next.ends)
		found = appendTargets(found, next.rest)
	}
	return found
}

func appendTargets(found []target, ports []*port) []target {
	for _, p := range ports {
		found = append(found, target{port: p})
	}
	return found
}
