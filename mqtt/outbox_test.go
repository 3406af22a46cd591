package mqtt

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

// shelf is an outbox in memory.
type shelf struct {
	mu   sync.Mutex
	rows []Row
	last mesh.Position
	fail error
	done map[Cursor]int
}

func (s *shelf) add(daemon mesh.DaemonID, topic string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.last++
		s.rows = append(s.rows, Row{
			At: Cursor{Position: s.last}, Daemon: daemon, Epoch: 1, Link: mesh.Link{Sequence: uint64(s.last)},
			Payload: []byte(fmt.Sprint(s.last)), Send: mesh.Send{Topic: topic, QoS: 1},
		})
	}
}

func (s *shelf) Next(after Cursor, limit int) ([]Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	i, found := slices.BinarySearchFunc(s.rows, after, func(r Row, c Cursor) int {
		switch {
		case r.At.Less(c):
			return -1
		case c.Less(r.At):
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return slices.Clone(s.rows[i:min(len(s.rows), i+limit)]), nil
}

func (s *shelf) Done(rows []Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = map[Cursor]int{}
	}
	for _, c := range rows {
		s.done[c]++
	}
	s.rows = slices.DeleteFunc(s.rows, func(r Row) bool { return slices.Contains(rows, r.At) })
}

func (s *shelf) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// distinct drops repeats: what a reader does with outputs that carry their identity.
func distinct(texts []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range texts {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestOutboxReachesTheBrokerInOrder(t *testing.T) {
	brokers(t, func(t *testing.T, s site) {
		box := &shelf{}
		box.add("d", "out", 1000)
		sink := start(t, Options{Brokers: []string{s.url}, ClientID: "sink"})
		sink.Subscribe("x", Subscription{"out", 1})
		sink.until(t, "the subscription", func() bool { _, ok := sink.granted["out"]; return ok })
		n := start(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node", Outbox: box, BacklogRate: 1 << 20})
		sink.until(t, "the backlog", func() bool { return len(sink.messages) >= 1000 })
		box.add("d", "out", 500)
		n.Wake()
		sink.until(t, "what came later", func() bool { return len(sink.messages) >= 1500 })
		if got := sink.texts("out"); !slices.Equal(got, numbers(1, 1500)) {
			t.Errorf("got %d outputs: %v", len(got), got)
		}
		await(t, "an empty outbox", func() bool { return box.left() == 0 })
		n.stop()
		if stats := n.Stats(); stats.Published != 1500 || stats.Inflight != 0 {
			t.Errorf("stats %+v", stats)
		}
	})
}

func TestOutboxSurvivesAStormOfReconnects(t *testing.T) {
	const rows, cuts = 3000, 30
	brokers(t, func(t *testing.T, s site) {
		box, w := &shelf{}, newWire(t, s)
		sink := start(t, Options{Brokers: []string{s.url}, ClientID: "sink"})
		sink.Subscribe("x", Subscription{"out/+", 1})
		sink.until(t, "the subscription", func() bool { return len(sink.granted) > 0 })
		n := start(t, Options{Brokers: []string{w.url}, ClientID: "fleet:node", Outbox: box, BacklogRate: 1 << 20})
		for cut := range cuts {
			box.add("a", "out/a", rows/cuts)
			box.add("b", "out/b", rows/cuts)
			n.Wake()
			n.until(t, "a connection", func() bool { return n.ups > cut })
			w.cut()
		}
		await(t, "an empty outbox", func() bool { return box.left() == 0 })
		sink.until(t, "all outputs", func() bool {
			return len(distinct(sink.texts("out/a"))) == rows && len(distinct(sink.texts("out/b"))) == rows
		})
		for _, topic := range []string{"out/a", "out/b"} {
			if got := distinct(sink.texts(topic)); !slices.IsSortedFunc(got, byNumber) {
				t.Errorf("%s is out of order", topic)
			}
		}
	})
}

func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return map[bool]int{true: -1, false: 1}[a < b]
}

func TestRowThatCannotBePublishedIsNotInTheWay(t *testing.T) {
	s, box := embedded(t, BrokerOptions{}), &shelf{}
	box.add("d", "bad/#", 1)
	box.add("d", "out", 1)
	sink := start(t, Options{Brokers: []string{s.url}, ClientID: "sink"})
	sink.Subscribe("x", Subscription{"out", 1})
	sink.until(t, "the subscription", func() bool { return len(sink.granted) > 0 })
	n := start(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node", Outbox: box})
	sink.until(t, "the good output", func() bool { return len(sink.messages) == 1 })
	await(t, "an empty outbox", func() bool { return box.left() == 0 })
	if n.Stats().Refused != 1 {
		t.Errorf("stats %+v", n.Stats())
	}
}

func TestOutboxThatCannotBeReadEndsTheConnection(t *testing.T) {
	s := embedded(t, BrokerOptions{})
	box := &shelf{fail: errors.New("disk gone")}
	n := start(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node", Outbox: box})
	n.until(t, "the loss", func() bool {
		return slices.ContainsFunc(n.downs, func(err error) bool { return errors.Is(err, box.fail) })
	})
}
