package agent

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// keyFile holds the node's key and its checksum, as text.
const keyFile = "node.key"

// Identity tells this node from all others.
type Identity struct {
	Node mesh.NodeID
	// Instance is new at each start: 128 random bits as hex.
	Instance string
}

// OpenIdentity reads the node's key in dir, making it at the first start. The id is name, or else the slug of the
// hostname and six digits of the key. A damaged key is set aside beside its old place and damage says so.
func OpenIdentity(dir, name string) (id Identity, damage error, err error) {
	id.Instance = hex.EncodeToString(random(16))
	path := filepath.Join(dir, keyFile)
	key, err := readKey(path)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		key, err = makeKey(path)
	case errors.Is(err, errKeyDamaged):
		aside := path + ".damaged"
		damage = fmt.Errorf("%w: set aside as %s; this node has a new key", err, aside)
		if err = os.Rename(path, aside); err == nil {
			key, err = makeKey(path)
		}
	}
	if err != nil {
		return Identity{}, damage, err
	}
	if name == "" {
		host, _ := os.Hostname()
		name = slug(host) + "-" + key[:6]
	}
	id.Node, err = mesh.ParseNodeID(name)
	return id, damage, err
}

var errKeyDamaged = errors.New("node key is damaged")

func readKey(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the node key: %w", err)
	}
	key, sum, ok := strings.Cut(strings.TrimSpace(string(text)), " ")
	if raw, err := hex.DecodeString(key); !ok || err != nil || len(raw) != 32 || sum != checksum(key) {
		return "", fmt.Errorf("reading %s: %w", path, errKeyDamaged)
	}
	return key, nil
}

// makeKey writes a new key so that a power cut leaves either the whole file or none.
func makeKey(path string) (string, error) {
	key := hex.EncodeToString(random(32))
	if err := writeFile(path, []byte(key+" "+checksum(key)+"\n")); err != nil {
		return "", fmt.Errorf("making the node key: %w", err)
	}
	return key, nil
}

func checksum(key string) string {
	sum := sha256.Sum256([]byte("edge-agent/node-key/v1\x00" + key))
	return hex.EncodeToString(sum[:4])
}

// writeFile replaces a file: written beside, synced, renamed, and its directory synced.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: the runtime stops the process instead
	return b
}

// slug keeps of a hostname what a node id may hold, and leaves room for the key's digits.
func slug(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	var b strings.Builder
	for _, c := range host {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0:
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-")
	if len(s) > 56 {
		s = s[:56]
	}
	if s == "" {
		return "node"
	}
	return s
}
