// Package mqtt carries a node's messages to and from an MQTT 3.1.1 broker and offers a small broker of its own.
//
// What it promises. Messages reach Options.Receive in the order the broker sent them, on one goroutine at a time, and
// are acknowledged only when their Ack is called. Control documents are kept until the broker has them, the latest per
// topic, and sent again on every connection. Rows of the outbox are published oldest first within one daemon, and
// again after a lost connection until the broker has confirmed them. Publish, Subscribe, Send and Wake never block and
// work without a connection. Every queue is bounded, and what it had to drop is counted.
//
// What it leaves to others: deciding what a message means (agent, order), running daemons (agent/dispatch), and
// keeping the outbox (persist).
package mqtt
