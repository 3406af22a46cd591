package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// defaultConfig is read where it exists and no other file is named.
const defaultConfig = "/etc/edge-agent/config.yaml"

// configFlags are the flags of every command that needs to know this node or its broker.
type configFlags struct {
	Config   string   `short:"c" placeholder:"FILE" help:"Configuration; by default /etc/edge-agent/config.yaml."`
	Broker   []string `short:"b" placeholder:"URL" help:"Broker, such as tcp://127.0.0.1:1883; several are tried in turn."`
	Fleet    string   `short:"f" placeholder:"NAME" help:"Fleet that this node belongs to."`
	Node     string   `short:"n" placeholder:"ID" help:"Id of this node."`
	StateDir string   `placeholder:"DIR" help:"Directory of this node's state."`
	Metrics  string   `placeholder:"ADDR" help:"Address for /metrics and /healthz, such as 127.0.0.1:9464."`
}

// Settings reads the configuration file, the environment and the flags, each stronger than the one before.
func (f configFlags) Settings() (settings, error) { return loadSettings(f, os.Environ()) }

// file is the configuration, and whether somebody named it.
func (f configFlags) file(environ []string) (path string, named bool) {
	path = f.Config
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); name == "EDGE_AGENT_CONFIG" && path == "" {
			path = value
		}
	}
	if path == "" {
		return defaultConfig, false
	}
	return path, true
}

// settingsError is all that is wrong with the settings.
type settingsError []string

func (e settingsError) Error() string { return strings.Join(e, "\n  ") }

// settingsLoader fills settings from one source after the other and remembers where each came from.
type settingsLoader struct {
	settings settings
	origins  map[string]string // path of a setting -> such as config.yaml:12
	mistakes settingsError
}

func loadSettings(flags configFlags, environ []string) (settings, error) {
	l := &settingsLoader{settings: defaultSettings(), origins: map[string]string{}}
	file, named := flags.file(environ)
	if err := l.readFile(file, named); err != nil {
		return settings{}, fail(exitConfig, err, "name a file that exists with --config, or none")
	}
	l.readEnvironment(environ)
	l.readFlags(flags)
	if len(l.mistakes) == 0 {
		l.check()
	}
	if len(l.mistakes) > 0 {
		return settings{}, fail(exitConfig, l.mistakes, "docs/operations.md lists every setting")
	}
	return l.settings, nil
}

// maxConfigFile bounds a configuration file in bytes.
const maxConfigFile = 1 << 20

func (l *settingsLoader) readFile(path string, named bool) error {
	file, err := os.Open(path)
	if !named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfigFile+1))
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxConfigFile {
		return fmt.Errorf("configuration %s has more than %d bytes", path, maxConfigFile)
	}
	l.readYAML(path, text)
	return nil
}

// variablePrefix is in front of the name of every environment variable; the rest is the setting's path, such as
// BROKER_USER. BROKER alone stands for the URLs.
const variablePrefix = "EDGE_AGENT_"

func (l *settingsLoader) readEnvironment(environ []string) {
	given := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		given[name] = value
	}
	eachSetting("", reflect.ValueOf(&l.settings).Elem(), func(path string, v reflect.Value) {
		names := []string{variablePrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))}
		if path == "broker.urls" {
			names = append(names, variablePrefix+"BROKER")
		}
		for _, name := range names {
			if text := given[name]; text != "" {
				l.set(path, "environment variable "+name, v, strings.Split(text, ","))
			}
		}
	})
}

func (l *settingsLoader) readFlags(flags configFlags) {
	given := map[string][]string{
		"fleet": {flags.Fleet}, "node": {flags.Node}, "state_dir": {flags.StateDir}, "metrics": {flags.Metrics},
		"broker.urls": flags.Broker,
	}
	names := map[string]string{"state_dir": "state-dir", "broker.urls": "broker"}
	eachSetting("", reflect.ValueOf(&l.settings).Elem(), func(path string, v reflect.Value) {
		if texts := given[path]; len(texts) > 0 && texts[0] != "" {
			name, ok := names[path]
			if !ok {
				name = path
			}
			l.set(path, "flag --"+name, v, texts)
		}
	})
}

// eachSetting visits every setting that has a text form.
func eachSetting(path string, v reflect.Value, visit func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		field, name := v.Field(i), joinPath(path, v.Type().Field(i).Tag.Get("yaml"))
		switch field.Kind() {
		case reflect.Struct:
			eachSetting(name, field, visit)
		case reflect.Map:
		default:
			visit(name, field)
		}
	}
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// set puts texts into a setting; only a list takes more than one.
func (l *settingsLoader) set(path, origin string, v reflect.Value, texts []string) {
	l.origins[path] = origin
	if v.Kind() == reflect.Slice {
		v.Set(reflect.ValueOf(slices.Clone(texts)))
		return
	}
	text := strings.Join(texts, ",")
	var err error
	var want string
	switch v.Interface().(type) {
	case time.Duration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		v.SetInt(int64(d))
		want = "want a duration such as 30s or 5m"
	case bool:
		v.SetBool(text == "true")
		if text != "true" && text != "false" {
			err, want = strconv.ErrSyntax, "want true or false"
		}
	case int:
		var n int
		n, err = strconv.Atoi(text)
		v.SetInt(int64(n))
		want = "want a whole number"
	default:
		v.SetString(text)
	}
	if err != nil {
		l.mistake(path, fmt.Sprintf("is %q", text), want)
	}
}

// mistake says where a setting came from, what is wrong with it and what to write instead.
func (l *settingsLoader) mistake(path, problem, want string) {
	origin := l.origins[path]
	if origin != "" {
		origin += ": "
	}
	l.mistakes = append(l.mistakes, origin+path+" "+problem+": "+want)
}

// check finds what no single source could know to be wrong.
func (l *settingsLoader) check() {
	s := l.settings
	l.checkName("fleet", s.Fleet)
	if s.Node != "" {
		l.checkName("node", s.Node)
	}
	if s.StateDir == "" {
		l.mistake("state_dir", "is empty", "want a directory")
	}
	if _, _, err := net.SplitHostPort(s.Metrics); s.Metrics != "" && err != nil {
		l.mistake("metrics", fmt.Sprintf("is %q", s.Metrics), "want an address such as 127.0.0.1:9464")
	}
	l.checkWord("log.level", s.Log.Level, "debug", "info", "warn", "error")
	l.checkWord("log.format", s.Log.Format, "text", "json")
	l.checkBroker(s.Broker)
	l.checkProbe(s.Probe)
}

func (l *settingsLoader) checkProbe(p probeSettings) {
	if p.Every < time.Second {
		l.mistake("probe.every", "is "+p.Every.String(), "want at least 1s")
	}
	if p.Interval < time.Second {
		l.mistake("probe.command_every", "is "+p.Interval.String(), "want at least 1s")
	}
	for _, text := range p.Tags {
		tag, err := capability.Parse(text)
		switch {
		case err != nil:
			l.mistake("probe.tags", "are wrong", err.Error())
		case !strings.HasPrefix(tag.Key(), "devices.") && !strings.HasPrefix(tag.Key(), "scope:"):
			l.mistake("probe.tags", fmt.Sprintf("have %q", text), "want tags that begin with devices. or scope: only")
		}
	}
}

func (l *settingsLoader) checkBroker(b brokerSettings) {
	if len(b.URLs) == 0 {
		l.mistake("broker.urls", "is empty", "want a URL such as tcp://127.0.0.1:1883")
	}
	for _, text := range b.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains(brokerSchemes, u.Scheme) {
			l.mistake("broker.urls", fmt.Sprintf("has %q", withoutPassword(text)),
				"want a URL such as tcp://127.0.0.1:1883; it can begin with "+strings.Join(brokerSchemes, ", "))
		}
	}
	if (b.Cert == "") != (b.Key == "") {
		l.mistake("broker.cert", "stands without broker.key, or the other way round", "want both or neither")
	}
	if b.Password != "" && b.PasswordFile != "" {
		l.mistake("broker.password", "stands beside broker.password_file", "want one of them")
	}
	l.checkWord("broker.profile", b.Profile, "generic", "aws", "nats")
	if b.KeepAlive < time.Second || b.KeepAlive > time.Hour {
		l.mistake("broker.keep_alive", "is "+b.KeepAlive.String(), "want from 1s to 1h")
	}
	if b.Backfill < 0 {
		l.mistake("broker.backfill", fmt.Sprintf("is %d", b.Backfill), "want rows a second, or 0 for the default")
	}
}

var brokerSchemes = []string{"tcp", "mqtt", "tls", "ssl", "mqtts", "ws", "wss"}

func (l *settingsLoader) checkName(path, name string) {
	if _, err := mesh.ParseNodeID(name); err != nil {
		l.mistake(path, fmt.Sprintf("is %q", name), "want 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit")
	}
}

func (l *settingsLoader) checkWord(path, word string, words ...string) {
	if !slices.Contains(words, word) {
		l.mistake(path, fmt.Sprintf("is %q", word), "want one of "+strings.Join(words, ", "))
	}
}
