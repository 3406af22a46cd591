package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestThePackagedConfigurationIsValid reads it as it is installed, and with every setting that it shows switched on.
func TestThePackagedConfigurationIsValid(t *testing.T) {
	const packaged = "../../packaging/config.yaml"
	text, err := os.ReadFile(packaged)
	if err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(t.TempDir(), "full.yaml")
	shown := regexp.MustCompile(`(?m)^( *)#( *[a-z])`).ReplaceAll(text, []byte("$1$2"))
	if err := os.WriteFile(full, shown, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"as installed": packaged, "all switched on": full} {
		t.Run(name, func(t *testing.T) {
			s, err := loadSettings(configFlags{Config: path}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if s.StateDir != "/var/lib/edge-agent" || len(s.Broker.URLs) != 1 {
				t.Errorf("state in %s, brokers %v; want /var/lib/edge-agent and one broker", s.StateDir, s.Broker.URLs)
			}
		})
	}
}
