// Package order is what operators, controllers and nodes say to each other: assignments and reports, what a node is and
// how it fares, commands and their answers, as JSON documents.
//
// A document is decoded whole or refused with every mistake in it, each with its path and what to write instead.
// Fields that this version does not know are kept and written again; a document of another major version is refused.
// Decisions about documents - which of two assignments counts, what an input can be promised - are pure functions.
// The package sends nothing: topics and connections are left to mqtt, obeying to agent.
package order
