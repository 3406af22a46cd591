package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/order"
)

var (
	documentBlock = regexp.MustCompile("(?s)```json ([a-z ]+)\n(.*?)```")
	yamlBlock     = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	settingName   = regexp.MustCompile("`([a-z_.]+)`")
)

// TestWirePageShowsDocumentsThatParse holds the examples against the decoder: each is read whole, with nothing unknown.
func TestWirePageShowsDocumentsThatParse(t *testing.T) {
	text, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, block := range documentBlock.FindAllStringSubmatch(string(text), -1) {
		shown[block[1]] = true
		doc := documentNamed(block[1])
		if doc == nil {
			t.Errorf("no document is called %s", block[1])
			continue
		}
		if err := order.Parse([]byte(block[2]), doc); err != nil {
			t.Errorf("%s: %v", block[1], err)
		}
		if strangers := order.Strangers(doc); len(strangers) > 0 {
			t.Errorf("%s: unknown: %+v", block[1], strangers)
		}
	}
	for _, doc := range everyDocument() {
		if !shown[doc.Document()] {
			t.Errorf("the page shows no %s", doc.Document())
		}
	}
}

func everyDocument() []order.Document {
	return []order.Document{
		&order.Assignment{}, &order.Report{}, &order.Caps{}, &order.Presence{}, &order.Heartbeat{}, &order.Lifecycle{},
		&order.Command{}, &order.Ack{}, &order.Gap{},
	}
}

func documentNamed(name string) order.Document {
	for _, doc := range everyDocument() {
		if doc.Document() == name {
			return doc
		}
	}
	return nil
}

// TestOperationsPageListsEverySetting holds the table of settings against the settings, and its example against the
// reader.
func TestOperationsPageListsEverySetting(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 4 {
			for _, name := range settingName.FindAllStringSubmatch(cells[1], -1) {
				listed[name[1]] = true
			}
		}
	}
	var s settings
	known := map[string]bool{"daemons": true, "probe.metadata": true}
	eachSetting("", reflect.ValueOf(&s).Elem(), func(path string, _ reflect.Value) { known[path] = true })
	for path := range known {
		if !listed[path] {
			t.Errorf("the page does not list %s", path)
		}
	}
	for path := range listed {
		if !known[path] {
			t.Errorf("the page lists %s, which is no setting", path)
		}
	}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		if _, err := loadSettings(configFlags{Config: writeConfig(t, block[1])}, nil); err != nil {
			t.Errorf("the example is wrong: %v", err)
		}
	}
}
