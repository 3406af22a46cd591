package probe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/capability"
)

func TestEveryWordIsATag(t *testing.T) {
	for _, w := range Vocabulary() {
		key := strings.NewReplacer(".NAME", ".x", ".N", ".0").Replace(w.Key)
		axis, _, _ := strings.Cut(key, ".")
		if axis != "hardware" && axis != "software" {
			t.Errorf("%s: a measured tag begins with hardware or software", w.Key)
		}
		if tag, err := capability.Parse(key + "=1"); err != nil || tag.Key() != key {
			t.Errorf("%s is no tag: %v, %v", w.Key, tag, err)
		}
		if !matches(w.Key, key) {
			t.Errorf("%s does not match %s", w.Key, key)
		}
	}
}

func TestWordsMatchSegmentBySegment(t *testing.T) {
	tests := []struct {
		pattern, key string
		want         bool
	}{
		{"hardware.gpu.N.model", "hardware.gpu.0.model", true},
		{"hardware.gpu.N.model", "hardware.gpu.12.model", true},
		{"hardware.gpu.N.model", "hardware.gpu.x.model", false},
		{"hardware.gpu.N.model", "hardware.gpu.0", false},
		{"hardware.gpu", "hardware.gpu.0", false},
		{"software.runtime.NAME", "software.runtime.python", true},
		{"software.runtime.NAME", "software.runtime.", false},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.key); got != tt.want {
			t.Errorf("%s matches %s: %v; want %v", tt.pattern, tt.key, got, tt.want)
		}
	}
}

func TestTagsAreDocumented(t *testing.T) {
	var b strings.Builder
	for _, s := range Subjects() {
		fmt.Fprintf(&b, "### %s\n\n| tag | unit | meaning | read from | since |\n|---|---|---|---|---|\n", s.Name)
		for _, w := range s.Words {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", w.Key, w.Unit, w.Meaning, w.From, w.Since)
		}
		b.WriteString("\n")
	}
	compareDoc(t, "tags.md", "vocabulary", strings.TrimRight(b.String(), "\n")+"\n")
	b.Reset()
	b.WriteString("| tag | Nomad attribute | NFD or GFD label | node_exporter metric |\n|---|---|---|---|\n")
	for _, w := range Vocabulary() {
		if w.Nomad+w.NFD+w.Node != "" {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", w.Key, code(w.Nomad), code(w.NFD), code(w.Node))
		}
	}
	compareDoc(t, "tags.md", "mapping", b.String())
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
