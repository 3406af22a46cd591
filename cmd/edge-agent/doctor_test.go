package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mqtt"
)

// pki is an authority with one certificate for 127.0.0.1, as PEM files.
type pki struct{ ca, cert, key string }

func newPKI(t *testing.T) pki {
	t.Helper()
	dir := t.TempDir()
	p := pki{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "n1"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, p.ca, "CERTIFICATE", der)
	writePEM(t, p.cert, "CERTIFICATE", der)
	writePEM(t, p.key, "PRIVATE KEY", private)
	return p
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openBroker(t *testing.T, o mqtt.BrokerOptions) []net.Addr {
	t.Helper()
	b, err := mqtt.OpenBroker(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.Addrs()
}

// listen takes connections and does with them what it is told.
func listen(t *testing.T, with func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			with(c)
		}
	}()
	return l.Addr().String()
}

func TestDoctorTellsApartWhatIsWrongWithABroker(t *testing.T) {
	dir, keys, strangers := t.TempDir(), newPKI(t), newPKI(t)
	users := write(t, filepath.Join(dir, "users"), "n1:right\nreader:right\nwriter:right\n")
	rules := write(t, filepath.Join(dir, "acl"), "user n1\ntopic readwrite #\nuser reader\ntopic read #\nuser writer\ntopic write #\n")
	addrs := openBroker(t, mqtt.BrokerOptions{
		Listen: "127.0.0.1:0", TLS: "127.0.0.1:0", Cert: keys.cert, Key: keys.key, Users: users, ACL: rules,
	})
	plain, secure := addrs[0].String(), addrs[1].String()
	var silent []net.Conn
	mute := listen(t, func(c net.Conn) { silent = append(silent, c) })
	rude := listen(t, func(c net.Conn) { c.Close() })
	const patient, hasty = time.Minute, 300 * time.Millisecond // hasty only where no answer ever comes
	for name, c := range map[string]struct {
		url      string
		user     string
		password string
		ca       string
		server   string
		wait     time.Duration
		want     string // words of the finding; ok where it is good
	}{
		"good":                  {"tcp://" + plain, "n1", "right", "", "", patient, "ok"},
		"good over TLS":         {"tls://" + secure, "n1", "right", keys.ca, "", patient, "ok"},
		"nobody listens":        {"tcp://127.0.0.1:1", "", "", "", "", patient, "nothing listens there"},
		"wrong password":        {"tcp://" + plain, "n1", "wrong", "", "", patient, "it refuses who this is"},
		"nobody named":          {"tcp://" + plain, "", "", "", "", patient, "it refuses who this is"},
		"wrong in the URL":      {"tcp://n1:hush-hush@" + plain, "", "", "", "", patient, "it refuses who this is"},
		"may not read":          {"tcp://" + plain, "writer", "right", "", "", patient, "it denies to read"},
		"may not write":         {"tcp://" + plain, "reader", "right", "", "", patient, "did not come back"},
		"unknown authority":     {"tls://" + secure, "n1", "right", "", "", patient, "signed by nobody who is trusted"},
		"another authority":     {"tls://" + secure, "n1", "right", strangers.ca, "", patient, "TLS: "},
		"another name":          {"tls://" + secure, "n1", "right", keys.ca, "other.example", patient, "for another name"},
		"authority not there":   {"tls://" + secure, "n1", "right", dir + "/none", "", patient, "a file cannot be read"},
		"TLS where none is":     {"tls://" + rude, "", "", "", "", patient, "TLS: the handshake failed"},
		"hangs up":              {"tcp://" + rude, "", "", "", "", patient, "it hung up at once"},
		"websockets there none": {"ws://" + rude, "", "", "", "", patient, "it hung up at once"},
		"says nothing":          {"tcp://" + mute, "", "", "", "", hasty, "answer"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &doctor{settings: defaultSettings(), wait: c.wait, echo: patient}
			if c.user == "reader" {
				d.echo = hasty
			}
			b := &d.settings.Broker
			b.URLs, b.User, b.Password, b.CA, b.ServerName = []string{c.url}, c.user, c.password, c.ca, c.server
			d.brokers(context.Background())
			if len(d.findings) != 1 {
				t.Fatalf("findings %+v", d.findings)
			}
			f := d.findings[0]
			good := c.want == "ok" && f.Verdict == sound && f.Next == ""
			bad := c.want != "ok" && f.Verdict == problem && strings.Contains(f.Found, c.want) && f.Next != ""
			if !good && !bad {
				t.Errorf("found %+v; want %s", f, c.want)
			}
			if strings.Contains(f.Found+f.Next, "hush-hush") {
				t.Errorf("the password is shown: %+v", f)
			}
		})
	}
}

func TestSettingsDoNotShowThePasswordInAWrongURL(t *testing.T) {
	for _, url := range []string{"ftp://me:hush-hush@host", "tcp://me:hush-hush@host:port", "tcp://me:hush%zz-hush@host"} {
		path := writeConfig(t, "broker: {urls: ['"+url+"']}")
		_, err := loadSettings(configFlags{Config: path}, nil)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestKernelsThatMendedFastCommit(t *testing.T) {
	for release, want := range map[string]bool{
		"5.10.93": false, "5.10.94-v8+": true, "5.10.110": true, "5.13.0-1-generic": false, "5.15.26": false,
		"5.15.27": true, "5.16.12": false, "5.17": true, "5.17.0-rc1": true, "6.1.21-v8+": true, "6.12": true, "odd": false,
	} {
		if got := mendedFastCommit(release); got != want {
			t.Errorf("mendedFastCommit(%q) = %v", release, got)
		}
	}
}

func TestWhoMayUseADevice(t *testing.T) {
	user := fileOwner{uid: 1000, groups: []uint32{1000, 44}}
	for name, c := range map[string]struct {
		who            fileOwner
		uid, gid, mode uint32
		want           bool
	}{
		"root":                {fileOwner{}, 7, 7, 0o000, true},
		"its owner":           {user, 1000, 0, 0o600, true},
		"its owner, not":      {user, 1000, 44, 0o066, false},
		"the group":           {user, 0, 44, 0o660, true},
		"the group, to read":  {user, 0, 44, 0o646, false},
		"others":              {user, 0, 0, 0o666, true},
		"others, to read":     {user, 0, 0, 0o664, false},
		"another group's own": {user, 0, 109, 0o660, false},
	} {
		if got := c.who.mayUse(c.uid, c.gid, c.mode); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDoctorDoubtsAClockBeforeItsTime(t *testing.T) {
	d := &doctor{}
	d.clock(time.Unix(0, 0))
	if f := d.findings[0]; f.Verdict != problem || f.Next == "" {
		t.Errorf("1970 is found %+v", f)
	}
	d.clock(built.Add(time.Hour))
	if f := d.findings[1]; f.Verdict == problem {
		t.Errorf("now is found %+v", f)
	}
}

func TestDoctorWatchesTheDiskItself(t *testing.T) {
	d := &doctor{settings: settings{StateDir: write(t, filepath.Join(t.TempDir(), "file"), "")}}
	d.stateDirectory()
	if f := d.findings[0]; f.Verdict != problem || !strings.Contains(f.Found, "is no directory") {
		t.Errorf("a file is found %+v", f)
	}
	d = &doctor{settings: settings{StateDir: t.TempDir()}}
	if err := os.Chmod(d.settings.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	d.stateDirectory()
	if f := d.findings[0]; f.Verdict != warning || !strings.HasPrefix(f.Next, "chmod 0700") {
		t.Errorf("an open directory is found %+v", f)
	}
}

func TestDoctorSeesADamagedStore(t *testing.T) {
	d := &doctor{settings: settings{StateDir: t.TempDir()}}
	write(t, filepath.Join(d.settings.StateDir, "state.db"), strings.Repeat("x", 9000))
	d.store()
	if f := d.findings[0]; f.Verdict != problem || f.Next == "" {
		t.Errorf("garbage is found %+v", f)
	}
}
