// Package persist keeps what a node must not lose: journal, heads, outbox, snapshots, poison and small documents, in
// one bbolt file.
//
// One committer, the goroutine inside Store.Run, writes everything: it drains what is waiting and commits it in one
// transaction, so an answer of nil means on disk. Commit never blocks; documents block until they are durable. The
// first failing write makes every later one fail, because its outcome is unknown, until Reopen has read the file again.
// Every record carries a CRC over its bucket, key and value: what fails it is set aside, told as an Alarm, and never
// used. A damaged file is set aside as a whole and the store starts from what can be read.
//
// What an event means is left to agent/dispatch, sending the outbox to mqtt, deciding when to snapshot to agent.
package persist
