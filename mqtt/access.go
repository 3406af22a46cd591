package mqtt

import (
	"bufio"
	"crypto/pbkdf2"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/edge-agent/edge-agent/order"
)

// access says who may enter an embedded broker and what they may do there.
type access struct {
	open  bool              // anybody may enter
	users map[string]string // name to password, plain or hashed
	rules []rule            // nil without a file
	ruled bool
}

// rule permits reading or writing what passes a filter; %u and %c in it stand for user name and client id.
type rule struct {
	user        string // whose rule it is, with forUser
	forUser     bool
	pattern     bool
	read, write bool
	filter      string
}

func readAccess(users, acl string, certificates bool) (*access, error) {
	a := &access{open: users == "" && !certificates, users: map[string]string{}}
	if users != "" {
		err := eachLine(users, func(line string) error {
			name, password, ok := strings.Cut(line, ":")
			if !ok || name == "" {
				return errors.New("want NAME:PASSWORD")
			}
			a.users[name] = password
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("broker: users: %w", err)
		}
	}
	if acl != "" {
		a.ruled = true
		if err := a.readRules(acl); err != nil {
			return nil, fmt.Errorf("broker: access rules: %w", err)
		}
	}
	return a, nil
}

func (a *access) readRules(path string) error {
	user, forUser := "", false
	return eachLine(path, func(line string) error {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch word {
		case "user":
			user, forUser = rest, true
			return nil
		case "topic", "pattern":
			r := rule{user: user, forUser: forUser, pattern: word == "pattern", read: true, write: true, filter: rest}
			if how, filter, ok := strings.Cut(rest, " "); ok {
				switch how {
				case "read":
					r.write, r.filter = false, strings.TrimSpace(filter)
				case "write":
					r.read, r.filter = false, strings.TrimSpace(filter)
				case "readwrite":
					r.filter = strings.TrimSpace(filter)
				}
			}
			a.rules = append(a.rules, r)
			return order.CheckFilter(strings.TrimPrefix(r.filter, "$"))
		}
		return fmt.Errorf("%q: want user, topic or pattern", word)
	})
}

func eachLine(path string, use func(string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := use(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return lines.Err()
}

// enter reports whether a name and password open the door.
func (a *access) enter(name, password string) bool {
	if a.open {
		return true
	}
	want, ok := a.users[name]
	return ok && sameSecret(want, password)
}

// sameSecret compares a password with a plain one or with what mosquitto_passwd makes of it: $7$ROUNDS$SALT$HASH,
// PBKDF2 with SHA-512.
func sameSecret(want, password string) bool {
	if parts := strings.Split(want, "$"); len(parts) == 5 && parts[0] == "" && parts[1] == "7" {
		rounds, err1 := strconv.Atoi(parts[2])
		salt, err2 := base64.StdEncoding.DecodeString(parts[3])
		hash, err3 := base64.StdEncoding.DecodeString(parts[4])
		if errors.Join(err1, err2, err3) != nil || rounds < 1 || rounds > 1<<20 || len(hash) == 0 {
			return false
		}
		key, err := pbkdf2.Key(sha512.New, password, salt, rounds, len(hash))
		return err == nil && subtle.ConstantTimeCompare(key, hash) == 1
	}
	return subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
}

// allows reports whether a client may read or write a topic. A topic rule without a user before it holds for clients
// without a name, a pattern for all.
func (a *access) allows(user, client, topic string, write bool) bool {
	if !a.ruled {
		return true
	}
	for _, r := range a.rules {
		if write && !r.write || !write && !r.read {
			continue
		}
		filter := r.filter
		switch {
		case r.pattern:
			if strings.Contains(filter, "%u") && !level(user) || strings.Contains(filter, "%c") && !level(client) {
				continue
			}
			filter = strings.NewReplacer("%u", user, "%c", client).Replace(filter)
		case r.user != user:
			continue
		}
		if order.Covers(filter, topic) {
			return true
		}
	}
	return false
}

// level reports whether a name can stand for one level of a filter without meaning more than itself.
func level(name string) bool { return name != "" && !strings.ContainsAny(name, "+#/") }

// gatekeeper applies access. What may not be published is confirmed and goes nowhere, as in other brokers: ending the
// connection instead would only have the client send it again.
type gatekeeper struct {
	mochi.HookBase
	access *access
}

func (*gatekeeper) ID() string { return "access" }

func (*gatekeeper) Provides(b byte) bool {
	switch b {
	case mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish, mochi.OnSessionEstablished:
		return true
	}
	return false
}

// OnConnectAuthenticate lets a client in by its certificate, or by name and password.
func (g *gatekeeper) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	if name := certified(cl); name != "" {
		cl.Properties.Username = []byte(name)
		return true
	}
	return g.access.enter(string(pk.Connect.Username), string(pk.Connect.Password))
}

// certified is the common name of a client's certificate, which was verified when it connected.
func certified(cl *mochi.Client) string {
	gate, ok := cl.Net.Conn.(*gate)
	if !ok {
		return ""
	}
	secure, ok := gate.Conn.(*tls.Conn)
	if !ok {
		return ""
	}
	if certs := secure.ConnectionState().PeerCertificates; len(certs) > 0 {
		return certs[0].Subject.CommonName
	}
	return ""
}

// OnSessionEstablished takes a will away that its client may not publish.
func (g *gatekeeper) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	if will := cl.Properties.Will; will.Flag == 1 && !g.may(cl, will.TopicName, true) {
		cl.Properties.Will = mochi.Will{}
	}
}

// OnACLCheck answers for subscribing and delivering; publishing is decided in OnPublish.
func (g *gatekeeper) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	return write || g.may(cl, topic, false)
}

// OnPublish lets what may not be published go nowhere.
func (g *gatekeeper) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if !g.may(cl, pk.TopicName, true) {
		pk.Ignore = true
	}
	return pk, nil
}

func (g *gatekeeper) may(cl *mochi.Client, topic string, write bool) bool {
	return g.access.allows(string(cl.Properties.Username), cl.ID, topic, write)
}
