package mqtt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// strict are both brokers with a user "node" who may write n/node and read n/node and d/node.
func strict(t *testing.T, test func(t *testing.T, s site)) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	check(t, os.Chmod(dir, 0o755))
	// What mosquitto_passwd made of the password "secret".
	const hash = "$7$101$CBWSjGWZopQN9fXU$" +
		"p5+9jlACmXUNHXGnfdOcZ2daonUjpl0utZ/rsRbQ4sAfcyRM4U6oJYCzQUxQg/eSR4n4wuMJw6+C+kt+yDMDaw=="
	users := write("users", "node:"+hash+"\n")
	rules := write("rules", strings.Join([]string{
		"# a node and its own topics", "pattern write n/%u/#", "pattern read n/%u/#", "pattern read d/%u/#", "", "user boss",
		"topic readwrite #", "",
	}, "\n"))
	t.Run("embedded", func(t *testing.T) { test(t, embedded(t, BrokerOptions{Users: users, ACL: rules})) })
	t.Run("mosquitto", func(t *testing.T) {
		test(t, mosquitto(t, "allow_anonymous false", "password_file "+users, "acl_file "+rules))
	})
}

func TestDeniedPublishIsNoticed(t *testing.T) {
	strict(t, func(t *testing.T, s site) {
		run := func(topic string) *node {
			n := prepare(t, Options{
				Brokers: []string{strings.Replace(s.url, "://", "://node:secret@", 1)}, ClientID: "node", Echo: topic,
				EchoTimeout: 100 * time.Millisecond,
			})
			n.Subscribe("x", Subscription{topic, 1}, Subscription{"d/node/#", 0}, Subscription{"d/other/#", 0})
			check(t, n.Publish(topic, 1, true, []byte("ready")))
			n.run(t)
			return n
		}
		good := run("n/node/pres")
		good.until(t, "the echo", func() bool { return slices.Equal(good.texts("n/node/pres"), []string{"ready"}) })
		good.stop()
		bad := run("n/other/pres")
		bad.until(t, "the denial", func() bool { return slices.Equal(bad.denied, []string{"n/other/pres"}) })
	})
}
