package mqtt

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// site is a broker that tests can reach.
type site struct {
	url string
	// ordered says that a resumed session gets its messages in the order they were sent.
	ordered bool
	// restart ends the broker and starts it again on the same address, with its retained messages; nil if it cannot.
	restart func(t *testing.T)
}

// brokers are the brokers that every test of the suite runs over.
func brokers(t *testing.T, test func(t *testing.T, s site)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, embedded(t, BrokerOptions{}))
	})
	t.Run("mosquitto", func(t *testing.T) {
		t.Parallel()
		test(t, mosquitto(t, "allow_anonymous true"))
	})
	t.Run("nats", func(t *testing.T) {
		t.Parallel()
		test(t, nats(t))
	})
}

func embedded(t *testing.T, o BrokerOptions) site {
	t.Helper()
	if o.Listen == "" && o.TLS == "" && o.WebSocket == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	b := must(OpenBroker(o))(t)
	t.Cleanup(func() { check(t, b.Close()) })
	at := b.Addrs()[0].String()
	scheme := "tcp"
	if o.TLS != "" {
		scheme = "tls"
	} else if o.WebSocket != "" {
		scheme = "ws"
	}
	return site{url: scheme + "://" + at, restart: func(t *testing.T) {
		check(t, b.Close())
		o.Listen = at
		var err error
		await(t, "the address to be free", func() bool { b, err = OpenBroker(o); return err == nil })
	}}
}

// mosquitto starts Debian's broker with the settings that docs/brokers.md recommends.
func mosquitto(t *testing.T, lines ...string) site {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	return program(t, "mosquitto", port, append([]string{
		fmt.Sprintf("listener %d 127.0.0.1", port), "set_tcp_nodelay true", "max_queued_messages 1000000",
		"max_packet_size 300000", "max_inflight_messages 1000", "user root", "persistence true",
		"persistence_location " + dir + "/", "autosave_interval 1",
	}, lines...)...)
}

// nats starts NATS as docs/brokers.md recommends; test/brokers builds it.
func nats(t *testing.T) site {
	t.Helper()
	port := freePort(t)
	s := program(t, "nats-server", port,
		"server_name: test", "listen: 127.0.0.1:-1", fmt.Sprintf("jetstream { store_dir: %q }", t.TempDir()),
		fmt.Sprintf(`mqtt { listen: "127.0.0.1:%d", ack_wait: "1s", max_ack_pending: 1000 }`, port))
	s.ordered = false
	return s
}

// program runs a broker of its own process.
func program(t *testing.T, name string, port int, config ...string) site {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	file := filepath.Join(t.TempDir(), "broker.conf")
	check(t, os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600))
	address := fmt.Sprintf("127.0.0.1:%d", port)
	var process *exec.Cmd
	start := func(t *testing.T) {
		process = exec.Command(path, "-c", file)
		check(t, process.Start())
		await(t, name+" to listen", func() bool {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			return err == nil && conn.Close() == nil
		})
	}
	stop := func(t *testing.T) {
		check(t, process.Process.Signal(os.Interrupt))
		_ = process.Wait()
	}
	start(t)
	t.Cleanup(func() { stop(t) })
	return site{url: "tcp://" + address, ordered: true, restart: func(t *testing.T) { stop(t); start(t) }}
}

func freePort(t *testing.T) int {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	check(t, l.Close())
	return l.Addr().(*net.TCPAddr).Port
}

// node is a client under test with everything it was told.
type node struct {
	*Client
	stop func()

	mu       sync.Mutex
	messages []Message
	ups      int
	downs    []error
	granted  map[string]error
	denied   []string
	full     bool // the receiver has no room
	keep     bool // messages are not acknowledged
	changed  chan struct{}
}

// start runs a client until the test ends or stop is called.
func start(t *testing.T, o Options) *node {
	t.Helper()
	n := prepare(t, o)
	n.run(t)
	return n
}

func prepare(t *testing.T, o Options) *node {
	t.Helper()
	n := &node{granted: map[string]error{}, changed: make(chan struct{}, 1)}
	up, receive := o.Up, o.Receive
	o.Receive = func(m Message) bool {
		if receive != nil && !receive(m) {
			return false
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.full {
			return false
		}
		n.messages = append(n.messages, m)
		if m.Ack != nil && !n.keep {
			m.Ack.Ack()
		}
		signal(n.changed)
		return true
	}
	o.Up = func() {
		if up != nil {
			up()
		}
		n.note(func() { n.ups++ })
	}
	o.Down = func(err error) { n.note(func() { n.downs = append(n.downs, err) }) }
	o.Granted = func(s Subscription, err error) { n.note(func() { n.granted[s.Filter] = err }) }
	o.Denied = func(topic string) { n.note(func() { n.denied = append(n.denied, topic) }) }
	o.Proxy = orText(o.Proxy, "none")
	if o.FirstRetry == 0 {
		o.FirstRetry, o.LastRetry = time.Millisecond, 20*time.Millisecond
	}
	n.Client = must(New(o))(t)
	return n
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (n *node) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	var once sync.Once
	n.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				check(t, err)
			case <-time.After(patience):
				t.Error("the client does not stop")
			}
		})
	}
	t.Cleanup(n.stop)
}

func (n *node) note(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	signal(n.changed)
}

// until waits for a condition that is looked at under the node's lock, whenever something happened to it.
func (n *node) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		good := ok()
		n.mu.Unlock()
		if good {
			return
		}
		select {
		case <-n.changed:
		case <-deadline:
			n.mu.Lock()
			defer n.mu.Unlock()
			t.Fatalf("waited in vain for %s: %d messages, %d ups, last downs %v, granted %v, %+v", what, len(n.messages),
				n.ups, n.downs[max(0, len(n.downs)-3):], n.granted, n.Stats())
		}
	}
}

func (n *node) connected(t *testing.T) {
	t.Helper()
	n.until(t, "a connection", func() bool { return n.ups > 0 })
}

// texts are the payloads received on a topic.
func (n *node) texts(topic string) []string {
	var out []string
	for _, m := range n.messages {
		if m.Topic == topic {
			out = append(out, string(m.Payload))
		}
	}
	return out
}

// await asks again and again; it is for what gives no event.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// plain is a bare MQTT client, as anybody may bring one.
func plain(t *testing.T, s site, id string, set ...func(*paho.ClientOptions)) paho.Client {
	t.Helper()
	o := paho.NewClientOptions().AddBroker(s.url).SetClientID(id).SetAutoReconnect(false)
	for _, f := range set {
		f(o)
	}
	c := paho.NewClient(o)
	finished(t, c.Connect())
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

func finished(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) {
		t.Fatal("the broker does not answer")
	}
	check(t, token.Error())
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t interface {
	Helper()
	Fatal(...any)
}, err error,
) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
