// Package capability says what a machine has and what a daemon needs: tags in one canonical form, sets of them, and
// the filters and predicates that compare the two.
//
// Text is parsed once, at the border, into bounded values; nothing compares raw strings afterwards. It knows no
// hardware: probe finds the tags, and fleet decides with them.
package capability
