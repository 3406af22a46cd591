package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
)

// TestNoSecretLeavesTheAgent gives an agent every secret there is and searches all that it says for them: its log, what
// it publishes, its socket, doctor and doctor's bundle.
func TestNoSecretLeavesTheAgent(t *testing.T) {
	keys, dir := newPKI(t), t.TempDir()
	users := write(t, filepath.Join(dir, "users"), "n1:hush-one\npeer:hush-two\n")
	addrs := openBroker(t, mqtt.BrokerOptions{
		Listen: "127.0.0.1:0", TLS: "127.0.0.1:0", Cert: keys.cert, Key: keys.key, ClientCA: keys.ca, Users: users,
	})
	plain, secure := "tcp://peer:hush-two@"+addrs[0].String(), addrs[1].String()
	common := "log: {level: debug}\ndaemons: {beat: {kind: counter, inputs: [{every: 1s}], outputs: [{}]}}\n" +
		"probe: {command: [/bin/echo, devices.told=echo]}\n" +
		"broker: {user: n1, ca: " + keys.ca + ", cert: " + keys.cert + ", key: " + keys.key
	file := write(t, filepath.Join(dir, "password"), "hush-one\n")
	for name, c := range map[string]struct{ url, config string }{
		"in the settings": {"tls://" + secure, common + ", password: hush-one}\n"},
		"in a file":       {"tls://" + secure, common + ", password_file: " + file + "}\n"},
		"in the URL":      {"tls://n1:hush-one@" + secure, strings.Replace(common, "user: n1, ", "", 1) + "}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			config := writeConfig(t, c.config)
			r := newRigAt(t, plain, "edge-agent", "--config", config)
			dead := "tcp://n1:hush-one@127.0.0.1:1" // so that there is an error to tell
			r.url = dead + "," + c.url
			r.start()
			r.online()
			r.report("beat", "running", func(p order.Report) bool { return p.State == order.Running })
			said := map[string]string{"doctor": diagnose(t, r, config, dead, c.url)}
			for _, path := range []string{"/state", "/daemons", "/poison", "/metrics", "/healthz"} {
				var text string
				if err := r.get(path, &text); err != nil {
					t.Fatal(err)
				}
				said["the socket's "+path] = text
			}
			r.stop()
			said["the log"] = r.log.String()
			if !strings.Contains(said["the log"], "127.0.0.1:1") {
				t.Error("the log tells of no broker that failed")
			}
			r.peer.mu.Lock()
			for _, m := range r.peer.heard {
				said[m.Topic()] += string(m.Payload())
			}
			r.peer.mu.Unlock()
			for name, text := range readBundle(t, filepath.Join(r.dir, "bundle.tar.gz")) {
				said[name] = text
			}
			for _, secret := range everySecret(t, keys.key, filepath.Join(r.dir, "node.key")) {
				for where, text := range said {
					if strings.Contains(text, secret) {
						t.Errorf("%s: holds %q", where, secret)
					}
				}
			}
		})
	}
}

// diagnose runs doctor beside the agent, with a bundle, and returns what it prints.
func diagnose(t *testing.T, r *rig, config string, urls ...string) string {
	t.Helper()
	var out bytes.Buffer
	c := doctorCommand{Wait: time.Minute, Bundle: filepath.Join(r.dir, "bundle.tar.gz"), configFlags: configFlags{
		Config: config, Broker: urls, Fleet: string(r.fleet), Node: string(r.node), StateDir: r.dir,
	}}
	err := c.Run(context.Background(), newConsole(streams{out: &out, err: &out}))
	if err == nil || !strings.Contains(out.String(), "lets this node write and read") {
		t.Fatalf("doctor says %v and\n%s", err, out.String())
	}
	return out.String()
}

func readBundle(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(text)
	}
	for _, name := range []string{"version", "findings", "settings", "machine", "agent", "daemons"} {
		if files["edge-agent/"+name+".json"] == "" {
			t.Errorf("the bundle has no %s", name)
		}
	}
	if !strings.Contains(files["edge-agent/metrics.txt"], "edge_agent_connected 1") {
		t.Error("the bundle has no metrics of a connected agent")
	}
	return files
}

// everySecret are the words to search for: the passwords, the lines of the private key, and the node's own key.
func everySecret(t *testing.T, paths ...string) []string {
	t.Helper()
	secrets := []string{"hush-one", "hush-two"}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(text)) {
			if len(word) > 20 {
				secrets = append(secrets, word)
			}
		}
	}
	if len(secrets) < 5 {
		t.Fatalf("there are only %d secrets to look for", len(secrets))
	}
	return secrets
}

func TestBundleHidesWhatIsCalledLikeASecret(t *testing.T) {
	path := writeConfig(t, "probe: {metadata: {api_key: hush, hall: two}, command: [tell, --token, hush]}\n"+
		"broker: {proxy: 'http://me:hush@proxy:3128'}\n"+
		"daemons: {a: {kind: counter, inputs: [], config: {per: /dev, token: hush, deep: [{passphrase: hush}]}}}\n")
	s, err := loadSettings(configFlags{Config: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &doctor{settings: s}
	bundle := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := d.bundle(t.Context(), bundle); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"hall": "two"`, `"per": "/dev"`, "proxy:3128", `"tell"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the bundle has no %s", want)
		}
	}
	if bytes.Contains(text, []byte("hush")) {
		t.Error("the bundle holds a secret")
	}
}
