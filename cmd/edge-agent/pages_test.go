package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var (
	codeBlock   = regexp.MustCompile("(?s)```(?:sh|console)\n(.*?)```")
	codeSpan    = regexp.MustCompile("`(edge-agent [^`]+)`")
	commandCall = regexp.MustCompile(`(?m)(?:^|[|;&$(] *|\bsudo (?:-u \S+ )?|\./bin/)edge-agent((?: +[^\s|;&<>#)]+)+)`)
)

// TestPagesShowCommandsThatExist holds the commands and flags in the documentation against the command line.
func TestPagesShowCommandsThatExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	parser := kong.Must(&commandLine{}, kong.Bind(newConsole(streams{})))
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range calls(string(text)) {
			if wrong := unknown(parser.Model.Node, strings.Fields(call)); wrong != "" {
				t.Errorf("%s: edge-agent%s: %s is not known", filepath.Base(page), call, wrong)
			}
		}
	}
}

func calls(text string) []string {
	var code []string
	for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
		code = append(code, strings.ReplaceAll(block[1], "\\\n", " "))
	}
	for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
		code = append(code, span[1])
	}
	var found []string
	for _, call := range commandCall.FindAllStringSubmatch(strings.Join(code, "\n"), -1) {
		found = append(found, call[1])
	}
	return found
}

// unknown walks the words of a call down the commands and returns the first that has no place.
func unknown(node *kong.Node, words []string) string {
	for _, word := range words {
		if name, isFlag := strings.CutPrefix(word, "-"); isFlag {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
			if !hasFlag(node, name) {
				return word
			}
			continue
		}
		var below *kong.Node
		for _, child := range node.Children {
			if child.Name == word {
				below = child
			}
		}
		if below != nil {
			node = below
		} else if len(node.Children) > 0 && !strings.ContainsAny(word, "…./=[") && word == strings.ToLower(word) {
			return word
		}
	}
	return ""
}

func hasFlag(node *kong.Node, name string) bool {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if flag.Name == name || string(flag.Short) == name || strings.TrimPrefix(name, "no-") == flag.Name {
				return true
			}
		}
	}
	return name == "help" || name == "h"
}

func TestUnknownFindsWhatIsWrong(t *testing.T) {
	parser := kong.Must(&commandLine{})
	for call, want := range map[string]string{
		"version":                "",
		"version --output json":  "",
		"version -o json":        "",
		"verison":                "verison",
		"version --no-such-flag": "--no-such-flag",
	} {
		if got := unknown(parser.Model.Node, strings.Fields(call)); got != want {
			t.Errorf("unknown(%q) = %q; want %q", call, got, want)
		}
	}
}
