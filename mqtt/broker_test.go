package mqtt

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRetainedMessagesSurviveTheBroker(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "broken.json"), []byte("{"), 0o600))
	s := embedded(t, BrokerOptions{Dir: dir})
	from := plain(t, s, "from")
	finished(t, from.Publish("a", 1, true, "1"))
	finished(t, from.Publish("a", 1, true, "2"))
	finished(t, from.Publish("b", 0, true, "3"))
	finished(t, from.Publish("c", 1, true, "4"))
	finished(t, from.Publish("c", 1, true, []byte{}))
	finished(t, from.Publish("d", 1, true, "\x00\xff"))
	s.restart(t)
	n := start(t, Options{Brokers: []string{s.url}, ClientID: "n"})
	n.Subscribe("x", Subscription{"#", 1})
	n.until(t, "three messages", func() bool { return len(n.messages) == 3 })
	for topic, want := range map[string]string{"a": "2", "b": "3", "d": "\x00\xff"} {
		if got := n.texts(topic); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", topic, got, want)
		}
	}
}

func TestSilentConnectionDoesNotKeepTheBrokerOpen(t *testing.T) {
	b := must(OpenBroker(BrokerOptions{Listen: "127.0.0.1:0", WebSocket: "127.0.0.1:0"}))(t)
	for _, a := range b.Addrs() {
		conn := must(net.Dial("tcp", a.String()))(t)
		defer conn.Close()
	}
	check(t, b.Close())
}

func TestAccessRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "acl")
	check(t, os.WriteFile(file, []byte(strings.Join([]string{
		"topic read public/#", "pattern write n/%u/#", "pattern read c/%c/+", "user boss", "topic n/#", "topic write deep",
		"user shy", "topic read quiet",
	}, "\n")), 0o600))
	a := must(readAccess("", file, false))(t)
	for line, want := range map[string]bool{
		"- - r public/x": true, "- - w public/x": false, "boss - r public/x": false,
		"node - w n/node/rep/d": true, "node - r n/node/rep/d": false, "node - w n/other/x": false, "node - r n/#": false,
		"boss - r n/#": true, "boss - w n/x": true, "boss - w deep": true, "boss - r deep": false,
		"- me r c/me/x": true, "- me r c/you/x": false, "- + r c/you/x": false, "+ - w n/other/x": false, "- - w n//x": false,
		"shy - r quiet": true, "shy - w quiet": false, "shy - r deep": false,
	} {
		f := strings.Fields(strings.ReplaceAll(line, "- ", "\x00 "))
		user, client := strings.Trim(f[0], "\x00"), strings.Trim(f[1], "\x00")
		if got := a.allows(user, client, f[3], f[2] == "w"); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	for text, want := range map[string]string{
		"user a\nallow x": "acl:2: \"allow\": want user", "topic read a/#/b": "acl:1: filter",
	} {
		check(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := readAccess("", file, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestBrokerRefusesWhatItCannotRead(t *testing.T) {
	for want, o := range map[string]BrokerOptions{
		"users":       {Users: "/nowhere"},
		"access":      {ACL: "/nowhere"},
		"certificate": {TLS: "127.0.0.1:0", Cert: "/nowhere", Key: "/nowhere"},
		"listen":      {Listen: "256.0.0.1:0"},
		"retained":    {Dir: "/dev/null/x"},
	} {
		if _, err := OpenBroker(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
