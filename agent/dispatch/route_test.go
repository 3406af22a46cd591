package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
)

// matches is the plain reading of the MQTT rules for topic filters.
func matches(filter, topic []string, first bool) bool {
	switch {
	case first && strings.HasPrefix(topic[0], "$") && (filter[0] == "+" || filter[0] == "#"):
		return false
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0:
		return false
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && matches(filter[1:], topic[1:], false)
}

func TestRouterFindsWhatThePlainRulesFind(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", "c", "", "$sys"})
	topic := rapid.Map(rapid.SliceOfN(level, 1, 4), func(l []string) string { return strings.Join(l, "/") })
	filter := rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", "$sys", "+"}), 1, 4).Draw(t, "levels")
		if rapid.Bool().Draw(t, "rest") {
			levels = append(levels[:len(levels)-1], "#")
		}
		return strings.Join(levels, "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		var r router
		var ports []*port
		order := uint32(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				d := &daemon{ledger: ledgerOf("d")}
				if n := len(ports); n > 0 && rapid.Bool().Draw(t, "second binding") {
					d = ports[n-1].to
				}
				p := &port{Binding: Binding{Filter: filter.Draw(t, "filter")}, to: d, order: order}
				order++
				ports = append(ports, p)
				r.add(p)
			},
			"remove": func(t *rapid.T) {
				if len(ports) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(ports)-1).Draw(t, "which")
				r.remove(ports[i])
				ports = slices.Delete(ports, i, i+1)
			},
			"find": func(t *rapid.T) {
				topic := topic.Draw(t, "topic")
				var want, got []*port
				for _, p := range ports {
					taken := slices.ContainsFunc(want, func(q *port) bool { return q.to == p.to })
					if !taken && matches(strings.Split(p.Filter, "/"), strings.Split(topic, "/"), true) {
						want = append(want, p)
					}
				}
				for _, target := range r.find(topic).targets {
					got = append(got, target.port)
				}
				if !slices.Equal(want, got) {
					t.Fatalf("%q: got %d ports, want %d", topic, len(got), len(want))
				}
			},
		})
		for len(ports) > 0 {
			r.remove(ports[0])
			ports = ports[1:]
		}
		if len(r.root.below) > 0 || r.root.plus != nil || len(r.root.ends)+len(r.root.rest) > 0 {
			t.Fatal("branches are left of a tree without filters")
		}
	})
}

func TestRouterStaysBoundedBeyondItsMemory(t *testing.T) {
	var r router
	p := &port{Binding: Binding{Filter: "plant/+/t", Retained: Every}, to: &daemon{ledger: ledgerOf("d")}}
	r.add(p)
	topics := make([]string, 8*routeSets)
	for i := range topics {
		topics[i] = fmt.Sprintf("plant/%d/t", i)
	}
	find := func() {
		for _, topic := range topics {
			if found := r.find(topic).targets; len(found) != 1 || found[0].port != p {
				t.Fatal("not found: ", topic)
			}
		}
	}
	find()
	if n := testing.AllocsPerRun(3, find); !raceEnabled && n > float64(len(topics))/8 {
		t.Errorf("%v allocations for %d topics", n, len(topics))
	}
}

func TestLaneIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLane("l", rapid.IntRange(1, 9).Draw(t, "size"), newBell())
		start := rapid.SampledFrom([]uint32{0, 1<<32 - 3}).Draw(t, "start")
		l.tail.Store(start)
		l.head.Store(start)
		l.staged, l.headSeen, l.tailSeen = start, start, start
		var model []string
		flushed, n := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"stage": func(t *rapid.T) {
				n++
				ok := l.Stage(&Input{Topic: fmt.Sprint(n)})
				if ok != (len(model) < len(l.slots)) {
					t.Fatalf("taken: %t with %d of %d", ok, len(model), len(l.slots))
				}
				if ok {
					model = append(model, fmt.Sprint(n))
				}
			},
			"flush": func(t *rapid.T) {
				l.Flush()
				flushed = len(model)
			},
			"take": func(t *rapid.T) {
				ready := int(l.ready())
				if ready > flushed || ready == 0 && flushed > 0 {
					t.Fatalf("%d ready, %d flushed", ready, flushed)
				}
				take := rapid.IntRange(0, ready).Draw(t, "n")
				for i := range take {
					if got := l.at(uint32(i)).Topic; got != model[i] {
						t.Fatalf("got %s, want %s", got, model[i])
					}
				}
				l.take(uint32(take))
				model, flushed = model[take:], flushed-take
			},
		})
	})
}

func TestQueueGrowsAndKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queue{first: 1<<32 - 5, next: 1<<32 - 5}
		var model []uint64
		n := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "n") {
					n++
					q.push(0).link.Sequence = n
					model = append(model, n)
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(0, len(model)).Draw(t, "n") {
					var c call
					if q.pop(&c); c.link.Sequence != model[0] {
						t.Fatalf("got %d, want %d", c.link.Sequence, model[0])
					}
					model = model[1:]
				}
			},
		})
	})
}

func TestRetainedMessages(t *testing.T) {
	for name, c := range map[string]struct {
		policy Retained
		want   []string
	}{
		"once":  {Once, []string{"a", "b", "c", "d", "d"}},
		"skip":  {Skip, []string{"b", "d", "d"}},
		"every": {Every, []string{"a", "a", "b", "b", "c", "d", "d", "d"}},
	} {
		for name2, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
			t.Run(name+" "+name2, func(t *testing.T) {
				g := newRig(t)
				r := newRecorder()
				g.add(Spec{
					ID: "d", Daemon: r, Durability: durability, Bindings: []Binding{{Filter: "t/+", Retained: c.policy}},
				})
				say := func(payload string, retained bool) {
					g.post(Input{Topic: "t/1", Payload: []byte(payload), Retained: retained})
				}
				say("a", true)
				say("a", true) // a reconnect
				say("b", false)
				say("b", true)
				say("c", true) // changed while away
				say("d", false)
				say("d", false) // equal, but live
				say("d", true)
				r.wait(t, len(c.want))
				g.settle()
				if diff := cmp.Diff(c.want, r.payloads()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestLastValuesSurviveInTheLedger(t *testing.T) {
	g := newRig(t)
	r := newRecorder()
	g.add(Spec{ID: "d", Daemon: r, Bindings: on("t")})
	g.post(Input{Topic: "t", Payload: []byte("a"), Retained: true})
	r.wait(t, 1)
	ledger, err := g.Remove(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	g.add(Spec{ID: "d", Daemon: r, Bindings: on("t"), Ledger: NewLedger(ledger.Snapshot())})
	g.post(Input{Topic: "t", Payload: []byte("a"), Retained: true})
	g.post(Input{Topic: "t", Payload: []byte("b"), Retained: true})
	r.wait(t, 2)
	if diff := cmp.Diff([]string{"a", "b"}, r.payloads()); diff != "" {
		t.Error(diff)
	}
}

func TestHeldInputsAreOrderedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		sent []string
		want []string
		rest []string // after the hold
	}{
		"in order":       {[]string{"1", "2", "3"}, []string{"1", "2", "3"}, nil},
		"swapped":        {[]string{"1", "3", "2", "4"}, []string{"1", "2", "3", "4"}, nil},
		"one is missing": {[]string{"1", "3", "4"}, []string{"1"}, []string{"3", "4"}},
		"late":           {[]string{"5", "4", "6"}, []string{"5", "4", "6"}, nil},
		"a repeat waits": {[]string{"1", "3", "3 again", "2"}, []string{"1", "2", "3"}, nil},
	} {
		for name2, durability := range map[string]Durability{"volatile": Volatile, "sync": Sync} {
			t.Run(name+" "+name2, func(t *testing.T) {
				g := newRig(t)
				r := newRecorder()
				g.add(Spec{
					ID: "d", Daemon: r, Durability: durability,
					Bindings: []Binding{{Filter: "in", Decode: numbers, Hold: int64(time.Second)}},
				})
				var got acks
				for _, p := range c.sent {
					g.post(Input{Topic: "in", Payload: []byte(p), QoS: 1, Ack: &got})
				}
				r.wait(t, len(c.want))
				g.settle()
				if diff := cmp.Diff(c.want, r.payloads()); diff != "" {
					t.Error(diff)
				}
				g.clock.advance(time.Second)
				r.wait(t, len(c.want)+len(c.rest))
				if diff := cmp.Diff(append(c.want, c.rest...), r.payloads()); diff != "" {
					t.Error(diff)
				}
				eventually(t, "the acknowledgements", func() bool { return int(got.n.Load()) == len(c.sent) })
			})
		}
	}
}

func TestHistogramQuantilesAreAnEighthTooHighAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(0, 1<<38), 1, 300).Draw(t, "durations")
		var h histogram
		for _, ns := range all {
			h.add(ns)
		}
		slices.Sort(all)
		q := h.quantiles()
		for _, c := range []struct {
			got  time.Duration
			rank int
		}{{q.P50, len(all) / 2}, {q.P99, len(all) * 99 / 100}, {q.P999, len(all) * 999 / 1000}, {q.Max, len(all) - 1}} {
			want := all[c.rank]
			if int64(c.got) < want || int64(c.got) > want+want/8+1 {
				t.Fatalf("rank %d: %d, want %d", c.rank, c.got, want)
			}
		}
	})
}

func TestMachineReadingsReachTheirBindings(t *testing.T) {
	g := newRig(t)
	r, other := newRecorder(), newRecorder()
	g.add(Spec{ID: "d", Daemon: r, Bindings: []Binding{{Machine: true}}})
	g.add(Spec{ID: "other", Daemon: other, Durability: Volatile, Bindings: on("#")})
	if !g.Post(&Input{Topic: "cpu.load", Payload: []byte("1"), Trigger: mesh.Reading}) {
		t.Fatal("no room")
	}
	ev := r.wait(t, 1)[0]
	if ev.Trigger != mesh.Reading || ev.Topic != "cpu.load" || ev.Link.Sequence != 1 || len(other.all()) > 0 {
		t.Errorf("%+v", ev)
	}
}
