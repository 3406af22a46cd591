// Package capability says what a machine has and what a daemon needs: tags in one canonical form, sets of them, and
// filters that compare the two.
//
// Text is parsed once, at the border, into bounded values; nothing compares raw strings afterwards, and every value is
// safe to share because none ever changes. What is not known never meets a comparison, not even a negated one. The
// package knows no hardware: probe finds the tags, the node and the fleet decide with them.
package capability
