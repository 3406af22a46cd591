package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
	"gopkg.in/yaml.v3"
)

// yamlFile is a configuration file being read.
type yamlFile struct {
	*settingsLoader
	name string
}

func (l *settingsLoader) readYAML(path string, text []byte) {
	f := yamlFile{settingsLoader: l, name: filepath.Base(path)}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		f.fail(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if len(document.Content) == 0 {
		return // an empty file
	}
	f.structure("", document.Content[0], reflect.ValueOf(&l.settings).Elem())
}

func (f yamlFile) fail(line int, text string, args ...any) {
	at := f.name
	if line > 0 {
		at += ":" + strconv.Itoa(line)
	}
	f.mistakes = append(f.mistakes, at+": "+fmt.Sprintf(text, args...))
}

// structure reads a mapping into the fields that its keys name.
func (f yamlFile) structure(path string, node *yaml.Node, v reflect.Value) {
	if v.Type() == reflect.TypeFor[brokerSettings]() && node.Kind != yaml.MappingNode {
		v, path = v.FieldByName("URLs"), joinPath(path, "urls") // broker: URL
		f.value(path, node, v)
		return
	}
	known := make([]string, v.NumField())
	for i := range known {
		known[i] = v.Type().Field(i).Tag.Get("yaml")
	}
	f.entries(path, node, func(key, value *yaml.Node) {
		at := slices.Index(known, key.Value)
		if at < 0 {
			f.fail(key.Line, "%s is not a setting%s", joinPath(path, key.Value), suggestion(key.Value, known))
			return
		}
		f.value(joinPath(path, key.Value), value, v.Field(at))
	})
}

// entries visits what a mapping holds, each key once.
func (f yamlFile) entries(path string, node *yaml.Node, visit func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		f.fail(node.Line, "%s is no list of settings: want lines of name: value", cmp.Or(path, "the file"))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if first, twice := seen[key.Value]; twice {
			f.fail(key.Line, "%s stands here and in line %d: keep one of them", joinPath(path, key.Value), first)
			continue
		}
		seen[key.Value] = key.Line
		visit(key, value)
	}
}

func (f yamlFile) value(path string, node *yaml.Node, v reflect.Value) {
	if node.Kind == yaml.AliasNode {
		f.fail(node.Line, "%s is an alias: write the value itself", path)
		return
	}
	if node.Tag == "!!null" {
		return // name: without a value leaves the default
	}
	switch {
	case v.Type() == reflect.TypeFor[map[mesh.DaemonID]order.Spec]():
		f.daemons(path, node)
	case v.Kind() == reflect.Struct:
		f.structure(path, node, v)
	case v.Kind() == reflect.Map:
		texts := map[string]string{}
		f.entries(path, node, func(key, value *yaml.Node) { texts[key.Value] = f.text(joinPath(path, key.Value), value) })
		v.Set(reflect.ValueOf(texts))
	case v.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		texts := make([]string, len(node.Content))
		for i, part := range node.Content {
			texts[i] = f.text(path, part)
		}
		f.set(path, f.at(node), v, texts)
	case node.Kind == yaml.ScalarNode:
		f.set(path, f.at(node), v, []string{node.Value})
	default:
		f.fail(node.Line, "%s has entries below it: want a single value", path)
	}
}

func (f yamlFile) text(path string, node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode {
		f.fail(node.Line, "%s has entries below it: want a single value", path)
	}
	return node.Value
}

func (f yamlFile) at(node *yaml.Node) string { return f.name + ":" + strconv.Itoa(node.Line) }

func (f yamlFile) daemons(path string, node *yaml.Node) {
	f.settings.Daemons = map[mesh.DaemonID]order.Spec{}
	f.entries(path, node, func(key, value *yaml.Node) {
		id, err := mesh.ParseDaemonID(key.Value)
		if err != nil {
			f.fail(key.Line, "%v", err)
			return
		}
		daemon := yamlSpec{yamlFile: f, path: joinPath(path, key.Value), lines: map[string]int{"": key.Line}}
		f.settings.Daemons[id] = daemon.read(value)
	})
}

// yamlSpec is the spec of one daemon, read as the JSON it stands for.
type yamlSpec struct {
	yamlFile
	path  string         // of the spec in the file
	lines map[string]int // by path in the spec
}

func (s yamlSpec) read(node *yaml.Node) order.Spec {
	before := len(s.mistakes)
	text := s.json(nil, "", node)
	if len(s.mistakes) > before {
		return order.Spec{}
	}
	spec, err := order.ParseSpec(text)
	var mistakes order.Mistakes
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			s.fail(s.line(m.Path), "%s %s: %s", s.full(m.Path), m.Problem, m.Want)
		}
	}
	for _, stranger := range order.Strangers(spec) {
		hint := suggestion(stranger.Name, stranger.Known)
		s.fail(s.line(stranger.Path), "%s is not a setting%s", s.full(stranger.Path), hint)
	}
	return spec
}

func (s yamlSpec) full(path string) string {
	if strings.HasPrefix(path, "[") {
		return s.path + path
	}
	return strings.TrimSuffix(joinPath(s.path, path), ".")
}

// line is that of the path, or of what is above it.
func (s yamlSpec) line(path string) int {
	for {
		if line, ok := s.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// json writes the node as JSON and notes the line of everything in it.
func (s yamlSpec) json(b []byte, path string, node *yaml.Node) []byte {
	switch node.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		s.entries(s.full(path), node, func(key, value *yaml.Node) {
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			below := joinPath(path, key.Value)
			s.lines[below] = key.Line
			b = append(appendJSONText(b, key.Value), ':')
			b = s.json(b, below, value)
		})
		return append(b, '}')
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, part := range node.Content {
			if i > 0 {
				b = append(b, ',')
			}
			below := fmt.Sprintf("%s[%d]", path, i)
			s.lines[below] = part.Line
			b = s.json(b, below, part)
		}
		return append(b, ']')
	case yaml.ScalarNode:
		return s.scalar(b, path, node)
	}
	s.fail(node.Line, "%s is an alias: write the value itself", s.full(path))
	return b
}

// jsonNumber is what JSON takes as it stands.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func (s yamlSpec) scalar(b []byte, path string, node *yaml.Node) []byte {
	switch node.Tag {
	case "!!null":
		return append(b, "null"...)
	case "!!bool":
		var truth bool
		if node.Decode(&truth) == nil {
			return strconv.AppendBool(b, truth)
		}
	case "!!int", "!!float":
		if jsonNumber.MatchString(node.Value) {
			return append(b, node.Value...)
		}
		s.fail(node.Line, "%s is %s: want a decimal number, or a text in quotes", s.full(path), node.Value)
		return append(b, "null"...)
	}
	return appendJSONText(b, node.Value)
}

func appendJSONText(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return append(b, quoted...)
}

// suggestion ends a sentence about an unknown name.
func suggestion(name string, known []string) string {
	if best := mesh.Nearest(name, known); best != "" {
		return ": did you mean " + best + "?"
	}
	return ": known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}
