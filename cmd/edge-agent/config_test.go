package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagsBeatVariablesAndVariablesBeatTheFile(t *testing.T) {
	path := writeConfig(t, `
fleet: file
node: file
state_dir: /file
broker:
  urls: [tcp://file:1883]
  user: file
  keep_alive: 45s
probe:
  network: {virtual: true}
  tags: [devices.printer=upstairs]
  metadata: {room: 12}
`)
	environ := []string{"EDGE_AGENT_NODE=variable", "EDGE_AGENT_STATE_DIR=/variable", "EDGE_AGENT_BROKER_USER=variable",
		"EDGE_AGENT_BROKER=tcp://one:1883,tcp://two:1883", "EDGE_AGENT_CONFIG=/nowhere", "EDGE_AGENT_FLEET="}
	got, err := loadSettings(configFlags{Config: path, StateDir: "/flag"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	want := defaultSettings()
	want.Fleet, want.Node, want.StateDir = "file", "variable", "/flag"
	want.Broker.URLs, want.Broker.User = []string{"tcp://one:1883", "tcp://two:1883"}, "variable"
	want.Broker.KeepAlive = 45 * time.Second
	want.Probe.Network.Virtual, want.Probe.Tags = true, []string{"devices.printer=upstairs"}
	want.Probe.Metadata = map[string]string{"room": "12"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDaemonsOfTheFileAreSpecs(t *testing.T) {
	path := writeConfig(t, `
broker: tcp://desk:1883
daemons:
  mean:
    kind: ewma
    config: {tau: 30s, weight: 1.50, deep: [yes, true, ~]}
    inputs:
      - topic: plant/+/t
        id: {json: /seq}
        source: {topic}
      - every: 1m
    outputs:
      - {type: out, qos: 1}
    durability: window(50ms)
`)
	got, err := loadSettings(configFlags{Config: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"tcp://desk:1883"}; !reflect.DeepEqual(got.Broker.URLs, want) {
		t.Errorf("brokers %v", got.Broker.URLs)
	}
	mean := got.Daemons["mean"]
	if config := string(mean.Config); config != `{"deep":["yes",true,null],"tau":"30s","weight":1.50}` {
		t.Errorf("config %s", config)
	}
	if len(mean.Inputs) != 2 || !mean.Inputs[0].Source.Topic || mean.Outputs[0].QoS.Level() != 1 ||
		mean.Durability.Wait() != 50*time.Millisecond {
		t.Errorf("got %+v", mean)
	}
}

func TestMistakesInTheConfigurationSayWhere(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"no YAML", "fleet: [a", []string{"config.yaml: line 1: did not find expected ',' or ']'"}},
		{"a list of lines", "- a", []string{"config.yaml:1: the file is no list of settings: want lines of name: value"}},
		{"an unknown setting", "flet: a\nlog:\n  colour: red", []string{
			"config.yaml:1: flet is not a setting: did you mean fleet?",
			"config.yaml:3: log.colour is not a setting: known are format, level",
		}},
		{"a setting twice", "node: a\nnode: b", []string{
			"config.yaml:2: node stands here and in line 1: keep one of them"}},
		{"wrong forms", "broker:\n  keep_alive: soon\n  backfill: x\nprobe:\n  network:\n    virtual: si\nfleet: {a: b}",
			[]string{
				`config.yaml:2: broker.keep_alive is "soon": want a duration such as 30s or 5m`,
				`config.yaml:3: broker.backfill is "x": want a whole number`,
				`config.yaml:6: probe.network.virtual is "si": want true or false`,
				`config.yaml:7: fleet has entries below it: want a single value`,
			}},
		{"wrong values", "fleet: A\nmetrics: here\nlog: {level: loud}\nbroker: {urls: [desk], cert: a, keep_alive: 1ms}\n" +
			"probe: {tags: [hardware.gpu, b]}", []string{
			`config.yaml:1: fleet is "A": want 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit`,
			`config.yaml:2: metrics is "here": want an address such as 127.0.0.1:9464`,
			`config.yaml:3: log.level is "loud": want one of debug, info, warn, error`,
			`config.yaml:4: broker.urls has "desk": want a URL such as tcp://127.0.0.1:1883; ` +
				`it can begin with tcp, mqtt, tls, ssl, mqtts, ws, wss`,
			`config.yaml:4: broker.cert stands without broker.key, or the other way round: want both or neither`,
			`config.yaml:4: broker.keep_alive is 1ms: want from 1s to 1h`,
			`config.yaml:5: probe.tags have "hardware.gpu": want tags that begin with devices. or scope: only`,
			`config.yaml:5: probe.tags are wrong: tag "b": must begin with one of devices., hardware., software., ` +
				`causal:, fork-of:, scope: and a word behind it`,
		}},
		{"a daemon", "daemons:\n  mean:\n    kind: ewma\n    inputs:\n      - topic: a\n        qos: 3\n      - topic: b\n" +
			"        fromat: raw\n    durabilty: sync\n  Bad: {}", []string{
			`config.yaml:6: daemons.mean.inputs[0].qos is 3: want 0 or 1`,
			`config.yaml:9: daemons.mean.durabilty is not a setting: did you mean durability?`,
			`config.yaml:8: daemons.mean.inputs[1].fromat is not a setting: did you mean format?`,
			`config.yaml:10: daemon id "Bad": character 'B' at 0: want a-z, 0-9, and _ or - after the first`,
		}},
		{"numbers that JSON lacks", "daemons:\n  mean:\n    kind: ewma\n    config: {a: .inf, b: 0x10}", []string{
			`config.yaml:4: daemons.mean.config.a is .inf: want a decimal number, or a text in quotes`,
			`config.yaml:4: daemons.mean.config.b is 0x10: want a decimal number, or a text in quotes`,
		}},
		{"an alias", "daemons:\n  a: &x\n    kind: ewma\n    inputs: []\n  b: *x", []string{
			`config.yaml:5: daemons.b is an alias: write the value itself`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadSettings(configFlags{Config: writeConfig(t, test.text)}, nil)
			var mistakes settingsError
			if !errors.As(err, &mistakes) {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual([]string(mistakes), test.want) {
				t.Errorf("got:\n%s", strings.Join(mistakes, "\n"))
			}
			if f := asFailure(err); f.Code != exitConfig || f.Hint == "" {
				t.Errorf("code %d, hint %q", f.Code, f.Hint)
			}
		})
	}
}

func TestMistakesElsewhereAreNamedToo(t *testing.T) {
	_, err := loadSettings(configFlags{Config: writeConfig(t, ""), Fleet: "A"}, []string{"EDGE_AGENT_NODE=B"})
	const name = "want 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit"
	const want = `flag --fleet: fleet is "A": ` + name + "\n  " +
		`environment variable EDGE_AGENT_NODE: node is "B": ` + name
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestOnlyANamedFileMustExist(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for name, load := range map[string]func() error{
		"flag": func() error { _, err := loadSettings(configFlags{Config: missing}, nil); return err },
		"variable": func() error {
			_, err := loadSettings(configFlags{}, []string{"EDGE_AGENT_CONFIG=" + missing})
			return err
		},
	} {
		if err := load(); err == nil || asFailure(err).Code != exitConfig || !strings.Contains(err.Error(), "none.yaml") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
