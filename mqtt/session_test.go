package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
)

func TestSessionKeepsWhatArrivesWhileTheNodeIsAway(t *testing.T) {
	const messages = 3000
	brokers(t, func(t *testing.T, s site) {
		o := Options{Brokers: []string{s.url}, ClientID: "fleet:node"}
		first := start(t, o)
		first.Subscribe("x", Subscription{"in", 1})
		first.until(t, "the subscription", func() bool { return len(first.granted) > 0 })
		first.stop()
		from := plain(t, s, "from")
		for i := range messages {
			finished(t, from.Publish("in", 1, false, fmt.Sprint(i+1)))
		}
		second := prepare(t, o)
		second.Subscribe("x", Subscription{"in", 1})
		second.run(t)
		second.until(t, "what waited", func() bool { return len(second.messages) >= messages })
		got := second.texts("in")
		if !s.ordered {
			slices.SortFunc(got, byNumber)
		}
		if !slices.Equal(got, numbers(1, messages)) {
			t.Errorf("got %v", got)
		}
	})
}

func TestMessageThatWasNotAcknowledgedComesAgain(t *testing.T) {
	const messages = 4
	brokers(t, func(t *testing.T, s site) {
		w := newWire(t, s)
		n := prepare(t, Options{Brokers: []string{w.url}, ClientID: "fleet:node"})
		n.keep = true
		n.Subscribe("x", Subscription{"in", 1})
		n.run(t)
		n.until(t, "the subscription", func() bool { return len(n.granted) > 0 })
		from := plain(t, s, "from")
		for i := range messages {
			finished(t, from.Publish("in", 1, false, fmt.Sprint(i+1)))
		}
		n.until(t, "the messages", func() bool { return len(n.messages) == messages })
		// The node's own publications have the numbers that the broker gave the messages.
		for i := range messages {
			check(t, n.Publish("out", 1, false, fmt.Append(nil, i)))
		}
		await(t, "the documents", func() bool { return n.Stats().Published == messages })
		w.cut()
		n.until(t, "the messages again", func() bool { return len(n.messages) == 2*messages && n.ups == 2 })
		for _, m := range n.messages[messages:] {
			if !m.Dup || m.Connection != 2 {
				t.Errorf("got %+v", m)
			}
		}
		n.messages[0].Ack.Ack() // of a connection that is gone: it must do nothing
		n.note(func() {
			n.keep = false
			for _, m := range n.messages[messages:] {
				m.Ack.Ack()
			}
		})
		finished(t, from.Publish("in", 1, false, "last"))
		n.until(t, "the last message", func() bool { return slices.Contains(n.texts("in"), "last") })
	})
}

func TestNothingIsLostWhileASessionChangesHands(t *testing.T) {
	const messages = 4000
	brokers(t, func(t *testing.T, s site) {
		// A node that is pushed out does not come back.
		o := Options{Brokers: []string{s.url}, ClientID: "fleet:node", FirstRetry: time.Hour, LastRetry: time.Hour}
		var nodes []*node
		enter := func() { // beside the older one, as after a network that broke in the middle
			for ok := false; !ok; {
				n := prepare(t, o)
				n.Subscribe("x", Subscription{"in", 1})
				n.run(t)
				n.until(t, "the subscription", func() bool { ok = len(n.granted) > 0; return ok || len(n.downs) > 0 })
				nodes = append(nodes, n)
			}
		}
		enter()
		received := func() (all []string) {
			for _, n := range nodes {
				n.mu.Lock()
				all = append(all, n.texts("in")...)
				n.mu.Unlock()
			}
			return distinct(all)
		}
		from := plain(t, s, "from")
		for i := range messages {
			token := from.Publish("in", 1, false, fmt.Sprint(i+1))
			if i%400 == 399 {
				enter()
				finished(t, token)
			}
		}
		await(t, "all messages", func() bool { return len(received()) == messages })
	})
}

func TestTwentyWithheldMessagesHoldUpNobodyElse(t *testing.T) {
	brokers(t, func(t *testing.T, s site) {
		n := prepare(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node"})
		n.keep = true
		n.Subscribe("slow", Subscription{"slow", 1})
		n.Subscribe("control", Subscription{"order", 0})
		n.Subscribe("other", Subscription{"other", 1})
		n.run(t)
		n.until(t, "the subscriptions", func() bool { return len(n.granted) == 3 })
		from := plain(t, s, "from")
		for i := range 20 {
			finished(t, from.Publish("slow", 1, false, fmt.Sprint(i)))
		}
		n.until(t, "twenty messages", func() bool { return len(n.messages) == 20 })
		finished(t, from.Publish("order", 1, true, "run"))
		finished(t, from.Publish("other", 1, false, "reading"))
		n.until(t, "the order and the reading", func() bool {
			return len(n.texts("order")) == 1 && len(n.texts("other")) == 1
		})
	})
}

func TestReceiverMayPublishDuringABurst(t *testing.T) {
	brokers(t, func(t *testing.T, s site) {
		var n *node
		sink := start(t, Options{Brokers: []string{s.url}, ClientID: "sink"})
		sink.Subscribe("x", Subscription{"answer/+", 1})
		sink.until(t, "the subscription", func() bool { return len(sink.granted) > 0 })
		n = prepare(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node", Receive: func(m Message) bool {
			return n.Publish("answer/"+string(m.Payload), 1, true, m.Payload) == nil &&
				n.Publish("answer/live", 1, false, m.Payload) == nil
		}})
		n.Subscribe("x", Subscription{"ask", 1})
		n.run(t)
		n.until(t, "the subscription", func() bool { return len(n.granted) > 0 })
		from := plain(t, s, "from")
		for i := range 20 {
			from.Publish("ask", 1, false, fmt.Sprint(i+1))
		}
		// A retained answer may come twice: documents are sent again when a connection comes into full use.
		sink.until(t, "all answers", func() bool {
			for _, n := range numbers(1, 20) {
				if len(sink.texts("answer/"+n)) == 0 {
					return false
				}
			}
			return len(sink.texts("answer/live")) >= 20
		})
		if got := sink.texts("answer/live"); !slices.Equal(got, numbers(1, 20)) {
			t.Errorf("got %v", got)
		}
	})
}

func TestRetainedMessagesComeOnEachConnection(t *testing.T) {
	const connections = 6
	brokers(t, func(t *testing.T, s site) {
		w, from := newWire(t, s), plain(t, s, "from")
		finished(t, from.Publish("kept", 1, true, "old"))
		n := prepare(t, Options{Brokers: []string{w.url}, ClientID: "fleet:node"})
		n.Subscribe("x", Subscription{"kept", 0})
		n.run(t)
		for i := range connections {
			n.until(t, "the retained message", func() bool { return len(n.messages) == i+1 })
			if i+1 < connections {
				w.cut()
			}
		}
		finished(t, from.Publish("kept", 1, true, "new"))
		n.until(t, "the new message", func() bool { return len(n.messages) == connections+1 })
		n.stop()
		for i, m := range n.messages {
			want := Message{Topic: "kept", Payload: []byte("old"), Retained: true, Connection: uint64(i + 1)}
			if i == connections {
				want = Message{Topic: "kept", Payload: []byte("new"), Connection: connections}
			}
			if !cmp.Equal(m, want) {
				t.Errorf("message %d: got %+v, want %+v", i, m, want)
			}
		}
	})
}

func TestWillIsMadeAnewForEachAttempt(t *testing.T) {
	brokers(t, func(t *testing.T, s site) {
		watch := start(t, Options{Brokers: []string{s.url}, ClientID: "watch"})
		watch.Subscribe("x", Subscription{"pres", 1})
		watch.until(t, "the subscription", func() bool { return len(watch.granted) > 0 })
		w := newWire(t, s)
		var epoch atomic.Int64
		var n *node
		n = prepare(t, Options{
			Brokers: []string{w.url}, ClientID: "fleet:node",
			Will: func() Will {
				return Will{Topic: "pres", QoS: 1, Retained: true, Payload: fmt.Appendf(nil, "down %d", epoch.Add(1))}
			},
			Up: func() { check(t, n.Publish("pres", 1, true, fmt.Appendf(nil, "ready %d", epoch.Load()))) },
		})
		n.run(t)
		heard := func(text string) {
			t.Helper()
			watch.until(t, text, func() bool { return slices.Contains(watch.texts("pres"), text) })
		}
		heard("ready 1")
		w.cut()
		heard("down 1")
		heard("ready 2")
		// Somebody else takes the name; the node takes it back.
		thief := paho.NewClient(paho.NewClientOptions().AddBroker(s.url).SetClientID("fleet:node").SetCleanSession(false).
			SetAutoReconnect(false))
		finished(t, thief.Connect())
		watch.until(t, "the node's return", func() bool { return ready(watch) >= 3 })
		thief.Disconnect(0)
		check(t, n.Publish("pres", 1, true, []byte("gone")))
		n.stop() // with a goodbye, so that no will follows
		heard("gone")
		last := start(t, Options{Brokers: []string{s.url}, ClientID: "last"})
		last.Subscribe("x", Subscription{"pres", 1})
		last.until(t, "the last word", func() bool { return slices.Equal(last.texts("pres"), []string{"gone"}) })
	})
}

// ready counts the births that a watcher has heard of.
func ready(watch *node) (count int) {
	for _, text := range watch.texts("pres") {
		if strings.HasPrefix(text, "ready") {
			count++
		}
	}
	return count
}

func TestDocumentsReturnToABrokerThatLostThem(t *testing.T) {
	brokers(t, func(t *testing.T, s site) {
		n := start(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node"})
		check(t, n.Publish("doc/a", 1, true, []byte("1")))
		check(t, n.Publish("doc/b", 1, true, []byte("1")))
		check(t, n.Publish("doc/a", 1, true, []byte("2")))
		check(t, n.Publish("doc/b", 1, true, nil))
		await(t, "all documents", func() bool {
			return n.docs.empty() && n.Stats().Published >= 2 && n.Stats().Inflight == 0
		})
		finished(t, plain(t, s, "vandal").Publish("doc/a", 1, true, []byte{}))
		s.restart(t)
		n.until(t, "the second connection", func() bool { return n.ups > 1 })
		watch := start(t, Options{Brokers: []string{s.url}, ClientID: "watch"})
		watch.Subscribe("x", Subscription{"doc/+", 1})
		watch.until(t, "the document", func() bool { return len(watch.messages) > 0 })
		if got := watch.messages[0]; got.Topic != "doc/a" || string(got.Payload) != "2" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestBrokerThatConfirmsNothingIsLeft(t *testing.T) {
	s := embedded(t, BrokerOptions{})
	w, box := newWire(t, s), &shelf{}
	n := start(t, Options{
		Brokers: []string{w.url}, ClientID: "fleet:node", Outbox: box, ConfirmTimeout: 500 * time.Millisecond,
	})
	n.connected(t)
	w.swallow.Store(true)
	box.add("d", "out", 1)
	n.Wake()
	n.until(t, "the end of the connection", func() bool { return len(n.downs) > 0 })
	w.swallow.Store(false)
	await(t, "an empty outbox", func() bool { return box.left() == 0 })
}

func TestFullReceiverKeepsQoS1AndDropsQoS0(t *testing.T) {
	s := embedded(t, BrokerOptions{})
	n := prepare(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node", Waiting: 10})
	n.full = true
	n.Subscribe("x", Subscription{"in", 1})
	n.run(t)
	n.until(t, "the subscription", func() bool { return len(n.granted) > 0 })
	from := plain(t, s, "from")
	for range 3 {
		finished(t, from.Publish("in", 0, false, "0"))
	}
	for i := range 10 {
		finished(t, from.Publish("in", 1, false, fmt.Sprint(i+1)))
	}
	await(t, "ten waiting messages", func() bool { return n.Stats().Waiting == 10 && n.Stats().Dropped == 3 })
	finished(t, from.Publish("in", 1, false, "11"))
	n.until(t, "the end of the connection", func() bool { return len(n.downs) > 0 })
	if n.Stats().Forced == 0 {
		t.Errorf("stats %+v", n.Stats())
	}
	n.note(func() { n.full = false })
	n.until(t, "all messages", func() bool { return len(distinct(n.texts("in"))) == 11 })
}
