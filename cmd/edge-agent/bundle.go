package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// bundle writes what the doctor knows to a compressed archive. No log and no payload is in it, and no secret.
func (d *doctor) bundle(ctx context.Context, path string) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(file)
	archive := tar.NewWriter(zipped)
	defer func() { err = errors.Join(err, archive.Close(), zipped.Close(), file.Close()) }()
	hide := hider(append(configuredSecrets(d.settings), nodeKey(d.settings.StateDir)...))
	for _, document := range d.documents(ctx) {
		text, plain := document.value.(string)
		if !plain {
			body, err := json.MarshalIndent(document.value, "", "  ")
			if err != nil {
				return err
			}
			text = string(body) + "\n"
		}
		text = hide.Replace(text)
		h := tar.Header{Name: "edge-agent/" + document.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}
		if err := archive.WriteHeader(&h); err != nil {
			return err
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// bundled is one file of a bundle: a text, or what becomes JSON.
type bundled struct {
	name  string
	value any
}

func (d *doctor) documents(ctx context.Context) []bundled {
	all := []bundled{
		{"version.json", currentBuild()},
		{"findings.json", d.findings},
		{"settings.json", plainSettings(d.settings)},
		{"machine.json", viewProbe(d.probed)},
	}
	if d.kept != nil {
		daemons := []keptDaemon{}
		for _, h := range d.kept.Daemons {
			daemons = append(daemons, viewHolding(h))
		}
		all = append(all, bundled{"store.json", daemons})
	}
	if d.node.Node == "" {
		return all
	}
	all = append(all, bundled{"agent.json", d.node}, bundled{"daemons.json", d.told})
	var metrics string
	if err := askAgent(ctx, d.settings.StateDir, http.MethodGet, "/metrics", &metrics); err == nil {
		all = append(all, bundled{"metrics.txt", metrics})
	}
	return all
}

// hidden stands where a secret was.
const hidden = "REDACTED"

// plainSettings are the settings by their names, without secrets.
func plainSettings(s settings) map[string]any {
	plain := map[string]any{}
	eachSetting("", reflect.ValueOf(&s).Elem(), func(path string, v reflect.Value) {
		switch value := v.Interface().(type) {
		case time.Duration:
			plain[path] = value.String()
		case string:
			plain[path] = withoutPassword(value)
		case []string:
			all := make([]string, len(value))
			for i, text := range value {
				all[i] = withoutPassword(text)
			}
			plain[path] = all
		default:
			plain[path] = value
		}
	})
	if s.Broker.Password != "" {
		plain["broker.password"] = hidden
	}
	if len(s.Probe.Command) > 1 {
		plain["probe.command"] = []string{s.Probe.Command[0], hidden}
	}
	plain["probe.metadata"] = withoutSecrets(s.Probe.Metadata)
	plain["daemons"] = withoutSecrets(s.Daemons)
	return plain
}

// secretName is how things are called that others should not see.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|credential|private|auth|api_?key`)

// withoutSecrets is a value as JSON has it, with what is called like a secret hidden.
func withoutSecrets(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		return hidden
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return hidden
	}
	return hideNamed(tree)
}

func hideNamed(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		for name, value := range tree {
			if secretName.MatchString(name) {
				tree[name] = hidden
			} else {
				tree[name] = hideNamed(value)
			}
		}
	case []any:
		for i, value := range tree {
			tree[i] = hideNamed(value)
		}
	}
	return tree
}

// withoutPassword is a URL without its password; any other text stays as it is.
func withoutPassword(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return text
	}
	return scheme + "://" + hidden + rest[at:]
}

// configuredSecrets are all that the settings hold or lead to: passwords, and the lines of the private key.
func configuredSecrets(s settings) []string {
	b := s.Broker
	secrets := []string{b.Password}
	for _, text := range append(slices.Clone(b.URLs), b.Proxy) {
		if u, err := url.Parse(text); err == nil && u.User != nil {
			password, _ := u.User.Password()
			secrets = append(secrets, password, url.QueryEscape(password))
		}
	}
	for _, path := range []string{b.PasswordFile, b.Key} {
		text, err := os.ReadFile(cmp.Or(path, os.DevNull))
		if err != nil {
			continue // what cannot be read cannot be given away
		}
		for line := range bytes.Lines(text) {
			if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("-----")) {
				secrets = append(secrets, string(line))
			}
		}
	}
	return slices.DeleteFunc(secrets, func(secret string) bool { return secret == "" })
}

// nodeKey is the key that the node's id is made from.
func nodeKey(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "node.key"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// hider takes secrets out of a text wherever they stand, for what nobody thought of when the fields were looked at.
// One that is shorter than shortest could be any word.
func hider(secrets []string) *strings.Replacer {
	const shortest = 6
	var pairs []string
	for _, secret := range secrets {
		if len(secret) >= shortest {
			pairs = append(pairs, secret, hidden)
		}
	}
	return strings.NewReplacer(pairs...)
}
