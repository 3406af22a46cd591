package main

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/alecthomas/kong"
)

// exitCode is how the program ends; scripts may rely on the numbers.
type exitCode int

const (
	exitOK        exitCode = 0
	exitFailed    exitCode = 1 // the work failed
	exitUsage     exitCode = 2 // the command line makes no sense
	exitConfig    exitCode = 3 // a configuration or specification is not valid
	exitRefused   exitCode = 4 // somebody said no: a node, a lock, a rule
	exitTimeout   exitCode = 5 // the answer did not come in time
	exitTransport exitCode = 6 // broker or socket could not be reached
)

// failure is an error with the exit code it deserves and what to do next.
type failure struct {
	Code exitCode
	Err  error
	Hint string
}

func (f *failure) Error() string { return f.Err.Error() }
func (f *failure) Unwrap() error { return f.Err }

// fail gives err an exit code and a hint, a sentence that says what to do next; an error that has them keeps its own.
func fail(code exitCode, err error, hint string) error {
	var f *failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &failure{Code: code, Err: err, Hint: hint}
}

// asFailure finds the exit code of an error that nobody gave one.
func asFailure(err error) *failure {
	var f *failure
	var dial *net.OpError
	switch {
	case errors.As(err, &f):
		return &failure{Code: f.Code, Err: err, Hint: f.Hint}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{Code: exitTimeout, Err: err}
	case errors.As(err, &dial):
		return &failure{Code: exitTransport, Err: err}
	}
	return &failure{Code: exitFailed, Err: err}
}

func usageFailure(err error) error {
	hint := "see edge-agent --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if path := strings.Fields(parse.Context.Command()); len(path) > 0 {
			hint = "see edge-agent " + commandWords(path) + " --help"
		}
	}
	return fail(exitUsage, err, hint)
}

// commandWords leaves out the placeholders of arguments.
func commandWords(path []string) string {
	var words []string
	for _, word := range path {
		if !strings.HasPrefix(word, "<") && !strings.HasPrefix(word, "[") {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
