package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs certificates for these tests.
type authority struct {
	dir  string
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key))(t)
	a.cert = must(x509.ParseCertificate(der))(t)
	a.file = a.write(t, name+".pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// sign makes a certificate for a host or a client.
func (a *authority) sign(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key))(t)
	private := must(x509.MarshalECPrivateKey(k))(t)
	return a.write(t, name+".pem", "CERTIFICATE", der), a.write(t, name+".key", "EC PRIVATE KEY", private)
}

func TestTLSAndClientCertificates(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	cert, key := ours.sign(t, "broker.test")
	nodeCert, nodeKey := ours.sign(t, "node")
	rules := filepath.Join(ours.dir, "rules")
	check(t, os.WriteFile(rules, []byte("pattern readwrite n/%u/#\n"), 0o600))
	port := freePort(t)
	for name, start := range map[string]func(t *testing.T) string{
		"embedded": func(t *testing.T) string {
			o := BrokerOptions{TLS: "127.0.0.1:0", Cert: cert, Key: key, ClientCA: ours.file, ACL: rules}
			return embedded(t, o).url
		},
		"mosquitto": func(t *testing.T) string {
			mosquitto(t, "acl_file "+rules, fmt.Sprintf("listener %d 127.0.0.1", port), "cafile "+ours.file, "certfile "+cert,
				"keyfile "+key, "require_certificate true", "use_identity_as_username true")
			return fmt.Sprintf("tls://127.0.0.1:%d", port)
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			good := TLS{CA: ours.file, Cert: nodeCert, Key: nodeKey, Server: "broker.test"}
			n := prepare(t, Options{Brokers: []string{url}, ClientID: "node", TLS: good, Echo: "n/node/pres"})
			n.Subscribe("x", Subscription{"n/node/#", 1})
			check(t, n.Publish("n/node/pres", 1, true, []byte("ready")))
			check(t, n.Publish("n/other/pres", 1, true, []byte("forged")))
			n.run(t)
			n.until(t, "the echo", func() bool { return len(n.texts("n/node/pres")) == 1 })
			for want, bad := range map[string]TLS{
				"certificate signed by unknown authority": {CA: others.file, Cert: nodeCert, Key: nodeKey, Server: "broker.test"},
				"valid for broker.test":                   {CA: ours.file, Cert: nodeCert, Key: nodeKey, Server: "elsewhere.test"},
				"certificate required":                    {CA: ours.file, Server: "broker.test"},
				"no such file":                            {CA: "/nowhere.pem"},
				"no certificate in it":                    {CA: nodeKey},
			} {
				n := prepare(t, Options{Brokers: []string{url}, ClientID: "bad", TLS: bad})
				n.run(t)
				n.until(t, want, func() bool { return len(n.downs) > 0 })
				n.stop()
				if err := n.downs[0]; !strings.Contains(err.Error(), want) && want != "certificate required" {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

func TestWebSocket(t *testing.T) {
	port := freePort(t)
	for name, start := range map[string]func(t *testing.T) string{
		"embedded": func(t *testing.T) string { return embedded(t, BrokerOptions{WebSocket: "127.0.0.1:0"}).url },
		"mosquitto": func(t *testing.T) string {
			mosquitto(t, "allow_anonymous true", fmt.Sprintf("listener %d 127.0.0.1", port), "protocol websockets")
			return fmt.Sprintf("ws://127.0.0.1:%d/mqtt", port)
		},
	} {
		t.Run(name, func(t *testing.T) {
			box := &shelf{}
			box.add("d", "out", 300)
			n := prepare(t, Options{Brokers: []string{start(t)}, ClientID: "fleet:node", Outbox: box})
			n.Subscribe("x", Subscription{"out", 1})
			n.run(t)
			n.until(t, "the outputs", func() bool { return len(n.messages) == 300 })
		})
	}
}

func TestProxies(t *testing.T) {
	s := embedded(t, BrokerOptions{})
	_, host, _ := strings.Cut(s.url, "://")
	var tunnels atomic.Int64
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic bmFtZTpzZWNyZXQ=" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		tunnels.Add(1)
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		splice(near, far)
	})}
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close() })
	socks := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	go serveSocks(socks, &tunnels)
	t.Cleanup(func() { _ = socks.Close() })

	for proxy, want := range map[string]string{
		"http://name:secret@" + l.Addr().String(): "",
		"socks5://" + socks.Addr().String():       "",
		"http://" + l.Addr().String():             "407",
		"http://127.0.0.1:1":                      "refused",
	} {
		before := tunnels.Load()
		n := start(t, Options{Brokers: []string{"tcp://" + host}, ClientID: "fleet:node", Proxy: proxy})
		n.until(t, proxy, func() bool { return n.ups > 0 || len(n.downs) > 0 })
		n.stop()
		switch {
		case want != "" && (len(n.downs) == 0 || !strings.Contains(n.downs[0].Error(), want)):
			t.Errorf("%s: %v, want %s", proxy, n.downs, want)
		case want == "" && (n.ups == 0 || tunnels.Load() == before):
			t.Errorf("%s: %v", proxy, n.downs)
		}
	}
}

func splice(near, far net.Conn) {
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

// serveSocks is as much of SOCKS 5 as reaching an IPv4 address takes.
func serveSocks(l net.Listener, tunnels *atomic.Int64) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			head := make([]byte, 2)
			if _, err := io.ReadFull(near, head); err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, near, int64(head[1]))
			_, _ = near.Write([]byte{5, 0})
			ask := make([]byte, 10)
			if _, err := io.ReadFull(near, ask); err != nil {
				return
			}
			far, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: ask[4:8], Port: int(ask[8])<<8 | int(ask[9])})
			if err != nil {
				return
			}
			tunnels.Add(1)
			_, _ = near.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
			splice(near, far)
		}()
	}
}

func TestProxyOfTheEnvironment(t *testing.T) {
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	t.Setenv("NO_PROXY", "near.test")
	o := Options{ConnectTimeout: time.Minute}
	_, err := o.dial(context.Background(), "tcp://far.test:1883")
	if err == nil || !strings.Contains(err.Error(), "proxy http://127.0.0.1:1") {
		t.Errorf("through the proxy: %v", err)
	}
	for _, broker := range []string{"tcp://near.test:1", "tcp://127.0.0.1:1", "tcp://localhost:1"} {
		if _, err := o.dial(context.Background(), broker); err == nil || strings.Contains(err.Error(), "proxy") {
			t.Errorf("%s: %v", broker, err)
		}
	}
}

func TestCredentialsAreAskedForEachTime(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	check(t, os.WriteFile(users, []byte("# who may enter\n\nnode:new\n"), 0o600))
	s := embedded(t, BrokerOptions{Users: users})
	answers := []string{"old", "", "new"}
	n := prepare(t, Options{
		Brokers: []string{s.url}, ClientID: "node",
		Credentials: func(context.Context) (string, string, error) {
			password := answers[0]
			answers = answers[1:]
			if password == "" {
				return "", "", errors.New("file is gone")
			}
			return "node", password, nil
		},
	})
	n.run(t)
	n.until(t, "a connection", func() bool { return n.ups == 1 && len(n.downs) == 2 })
	for i, want := range []string{"not Authorized", "file is gone"} {
		if !strings.Contains(n.downs[i].Error(), want) {
			t.Errorf("attempt %d: %v, want %q", i, n.downs[i], want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	receive := func(Message) bool { return true }
	good := Options{Brokers: []string{"tcp://host"}, ClientID: "x", Receive: receive, Proxy: "none"}
	for want, spoil := range map[string]func(o *Options){
		"no broker given":              func(o *Options) { o.Brokers = nil },
		"no client id":                 func(o *Options) { o.ClientID = "" },
		"no receiver":                  func(o *Options) { o.Receive = nil },
		"want tcp://HOST:PORT":         func(o *Options) { o.Brokers = []string{"host:1883"} },
		"\"ftp://u:xxxxx@host\": want": func(o *Options) { o.Brokers = []string{"ftp://u:secret@host"} },
		"proxy address":                func(o *Options) { o.Proxy = "ftp://x" },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if u := must(parseBroker("mqtts://[::1]"))(t); u.Host != "[::1]:8883" {
		t.Errorf("got %s", u.Host)
	}
}
