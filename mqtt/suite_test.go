package mqtt

import (
	"fmt"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

func TestMessagesArriveInOrder(t *testing.T) {
	brokers(t, func(t *testing.T, s site) {
		n := prepare(t, Options{Brokers: []string{s.url}, ClientID: "fleet:node"})
		n.Subscribe("x", Subscription{"numbers", 1})
		n.run(t)
		n.connected(t)
		count(t, n, plain(t, s, "numbers"), 20_000)
	})
}

// count publishes numbers, never more than a thousand ahead of what the node has received, and checks their order.
func count(t *testing.T, n *node, from paho.Client, messages int) {
	t.Helper()
	for i := range messages {
		from.Publish("numbers", 1, false, fmt.Sprint(i))
		if i%500 == 0 {
			n.until(t, "the numbers so far", func() bool { return len(n.messages) >= i-500 })
		}
	}
	n.until(t, "all numbers", func() bool { return len(n.messages) >= messages })
	for i, m := range n.messages {
		if string(m.Payload) != fmt.Sprint(i) {
			t.Fatalf("message %d is number %s", i, m.Payload)
		}
	}
}
