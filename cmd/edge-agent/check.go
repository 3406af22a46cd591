package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
	"gopkg.in/yaml.v3"
)

// checkCommand says whether a configuration or specs are right, and what they promise and cost.
type checkCommand struct {
	configFlags
	Specs []string `arg:"" optional:"" help:"Specs, YAML or JSON, to check instead; - is standard input."`
	Rate  float64  `default:"1" help:"Events a second to expect of each input that is no timer."`
	Size  float64  `default:"256" help:"Bytes to expect of each payload."`
	State float64  `default:"4096" help:"Bytes to expect of each snapshot."`
}

// checked is a spec that was found right.
type checked struct {
	Daemon     mesh.DaemonID    `json:"daemon"`
	Kind       string           `json:"kind"`
	Durability order.Durability `json:"durability"`
	Inputs     []order.Promise  `json:"inputs"`
	Wear       wear             `json:"expected"`
}

func (c *checkCommand) Run(con *console) error {
	specs, source, err := c.specs(con.In)
	if err != nil {
		return err
	}
	var all []checked
	var wrong settingsError
	for _, id := range slices.Sorted(maps.Keys(specs)) {
		spec, err := completeSpec(id, specs[id])
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("daemon %s: %v", id, err))
			continue
		}
		l := expectedLoad(spec, c.Rate, c.Size, c.State)
		all = append(all, checked{
			Daemon: id, Kind: spec.Kind, Durability: spec.Durability, Inputs: spec.Promises(), Wear: expectedWear(spec, l),
		})
	}
	wrong = append(wrong, c.objections(specs)...)
	if len(wrong) > 0 {
		return fail(exitConfig, wrong, "edge-agent kinds KIND lists what a kind can be told")
	}
	if len(all) == 0 && !con.JSON() {
		return con.PrintText(nil, source+" is right; it declares no daemons")
	}
	if err := con.Print(struct {
		Source  string    `json:"source"`
		Daemons []checked `json:"daemons"`
	}{source, all}, promiseTable(all)); err != nil || con.JSON() {
		return err
	}
	fmt.Fprintln(con.Out)
	if err := con.Print(nil, wearTable(all)); err != nil {
		return err
	}
	con.Note("%s is right. At most this much is written to disk, at %g events a second of %g bytes for each input; see "+
		"--rate, --size and --state.", source, c.Rate, c.Size)
	return nil
}

// objections are what the configured broker cannot carry of the specs.
func (c *checkCommand) objections(specs map[mesh.DaemonID]order.Spec) []string {
	s, err := c.Settings()
	if err != nil {
		return nil // said where the settings are needed
	}
	profile, err := mqtt.ParseProfile(s.Broker.Profile)
	if err != nil {
		return []string{err.Error()}
	}
	fleet := order.Fleet(s.Fleet)
	var wanted []mqtt.Subscription
	var sends []mesh.Send
	for _, id := range slices.Sorted(maps.Keys(specs)) {
		for _, in := range specs[id].Inputs {
			if in.Topic != "" {
				wanted = append(wanted, mqtt.Subscription{Filter: fleet.Absolute(in.Topic)})
			}
		}
		for _, out := range specs[id].Outputs {
			if out.Topic != "" {
				sends = append(sends, mesh.Send{Topic: fleet.Absolute(out.Topic)})
			}
		}
	}
	if err := profile.Check(wanted, sends); err != nil {
		return strings.Split(err.Error(), "\n")
	}
	return nil
}

// specs are those of the files, named after them, or those of the configuration.
func (c *checkCommand) specs(stdin io.Reader) (specs map[mesh.DaemonID]order.Spec, source string, err error) {
	if len(c.Specs) == 0 {
		s, err := c.Settings()
		return s.Daemons, "the configuration", err
	}
	specs = map[mesh.DaemonID]order.Spec{}
	for _, path := range c.Specs {
		spec, err := readSpec(path, stdin)
		if err != nil {
			return nil, "", err
		}
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		specs[mesh.DaemonID(name)] = spec
	}
	return specs, strings.Join(c.Specs, ", "), nil
}

// completeSpec fills a spec's defaults in and builds its daemon, to see whether the configuration is right.
func completeSpec(id mesh.DaemonID, spec order.Spec) (order.Spec, error) {
	kind, err := kindNamed(spec.Kind)
	if err != nil {
		return order.Spec{}, err
	}
	spec = spec.Filled(id, kind.Stateful)
	if _, err := kind.New(spec.Config, mesh.Env{ID: id, Log: slog.New(slog.DiscardHandler)}); err != nil {
		return order.Spec{}, fmt.Errorf("kind %s: %w", spec.Kind, err)
	}
	for _, in := range spec.Inputs {
		if in.Daemon == id {
			return order.Spec{}, fmt.Errorf("it reads its own outputs, and would never rest")
		}
		if in.Topic != "" {
			if _, err := decoder(in); err != nil {
				return order.Spec{}, fmt.Errorf("%s: %w", in, err)
			}
		}
	}
	return spec, nil
}

// readSpec reads one spec from a file of YAML or JSON; - is standard input.
func readSpec(path string, stdin io.Reader) (order.Spec, error) {
	var text []byte
	var err error
	if path == "-" {
		path = "standard input"
		text, err = io.ReadAll(io.LimitReader(stdin, maxConfigFile))
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return order.Spec{}, fail(exitConfig, fmt.Errorf("reading a spec: %w", err), "")
	}
	l := &settingsLoader{}
	f := yamlFile{settingsLoader: l, name: filepath.Base(path)}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		f.fail(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var spec order.Spec
	if len(document.Content) > 0 {
		s := yamlSpec{yamlFile: f, lines: map[string]int{"": 1}}
		spec = s.read(document.Content[0])
	} else if len(l.mistakes) == 0 {
		f.fail(0, "is empty: want a spec, as docs/wire.md describes it")
	}
	if len(l.mistakes) > 0 {
		return order.Spec{}, fail(exitConfig, l.mistakes, "docs/wire.md describes a spec")
	}
	return spec, nil
}

func promiseTable(all []checked) *table {
	t := newTable("daemon", "kind", "durability", "input", "each event", "because")
	for _, c := range all {
		for _, p := range c.Inputs {
			t.Row(c.Daemon, c.Kind, c.Durability, p.Input, p.Guarantee, p.Why)
		}
		if len(c.Inputs) == 0 {
			t.Row(c.Daemon, c.Kind, c.Durability, "none", "", "")
		}
	}
	return t
}

func wearTable(all []checked) *table {
	t := newTable("daemon", "commits/s", "gb/day")
	var sum wear
	for _, c := range all {
		t.Row(c.Daemon, hundredths(c.Wear.Commits), hundredths(c.Wear.GBPerDay))
		sum.Commits += c.Wear.Commits
		sum.GBPerDay += c.Wear.GBPerDay
	}
	if len(all) > 1 {
		t.Row("all", hundredths(sum.Commits), hundredths(sum.GBPerDay))
	}
	return t
}

func hundredths(n float64) float64 { return math.Round(n*100) / 100 }
