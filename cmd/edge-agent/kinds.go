package main

import (
	"fmt"
	"strings"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/daemons/counter"
	"github.com/edge-agent/edge-agent/daemons/ewma"
	"github.com/edge-agent/edge-agent/daemons/filter"
	"github.com/edge-agent/edge-agent/daemons/sensor"
	"github.com/edge-agent/edge-agent/daemons/threshold"
	"github.com/edge-agent/edge-agent/mesh"
)

// kinds are the daemons that are built in.
func kinds() []mesh.Kind {
	return []mesh.Kind{counter.Kind(), ewma.Kind(), filter.Kind(), sensor.Kind(), threshold.Kind()}
}

// kindsCommand shows what daemons this program can run and how they are configured.
type kindsCommand struct {
	Kind string `arg:"" optional:"" help:"Show the settings of this kind only."`
}

// kindView is a kind as it is shown.
type kindView struct {
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Summary  string            `json:"summary"`
	Stateful bool              `json:"stateful"`
	Schema   uint32            `json:"schema,omitzero"`
	Requires capability.Filter `json:"requires,omitzero"`
	Config   []mesh.Setting    `json:"config"`
}

func viewKind(k mesh.Kind) kindView {
	return kindView{
		Name: k.Name, Version: k.Version, Summary: k.Summary, Stateful: k.Stateful, Schema: k.Schema,
		Requires: k.Requirements, Config: k.Config,
	}
}

func (c kindsCommand) Run(con *console) error {
	if c.Kind != "" {
		kind, err := kindNamed(c.Kind)
		if err != nil {
			return fail(exitUsage, err, "edge-agent kinds lists them all")
		}
		return con.Print(viewKind(kind), settingsTable(kind.Config))
	}
	var views []kindView
	t := newTable("kind", "version", "state", "requires", "settings", "does")
	for _, kind := range kinds() {
		views = append(views, viewKind(kind))
		state := "none"
		if kind.Stateful {
			state = "kept"
		}
		var names []string
		for _, setting := range kind.Config {
			names = append(names, setting.Name)
		}
		t.Row(kind.Name, kind.Version, state, kind.Requirements, strings.Join(names, " "), kind.Summary)
	}
	return con.Print(views, t)
}

func settingsTable(settings []mesh.Setting) *table {
	t := newTable("setting", "type", "default", "meaning")
	for _, s := range settings {
		t.Row(s.Name, s.Type, s.Default, s.Help)
	}
	return t
}

// kindNamed finds a kind, or says which one was probably meant.
func kindNamed(name string) (mesh.Kind, error) {
	var known []string
	for _, kind := range kinds() {
		if kind.Name == name {
			return kind, nil
		}
		known = append(known, kind.Name)
	}
	return mesh.Kind{}, fmt.Errorf("%q is not a kind%s", name, suggestion(name, known))
}
