package mqtt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/storage"
	"github.com/mochi-mqtt/server/v2/packets"
)

const retainedSuffix = ".json"

// retained keeps an embedded broker's retained messages, one file each, written by one goroutine soon after they
// arrive: the newest of a topic wins, and a crash loses no more than the last moments.
type retained struct {
	mochi.HookBase
	dir  string
	log  *slog.Logger
	wake chan struct{}
	done chan struct{}

	mu     sync.Mutex
	dirty  map[string]*kept // by topic, nil for one that is gone
	closed bool
	failed error
}

// kept is a retained message as its file holds it.
type kept struct {
	Topic   string `json:"topic"`
	QoS     byte   `json:"qos"`
	Payload []byte `json:"payload"`
}

func openRetained(dir string, log *slog.Logger) (*retained, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("broker: retained messages: %w", err)
	}
	r := &retained{
		dir: dir, log: log, wake: make(chan struct{}, 1), done: make(chan struct{}), dirty: map[string]*kept{},
	}
	go r.run()
	return r, nil
}

func (*retained) ID() string { return "retained" }

func (*retained) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnRetainMessage, mochi.StoredRetainedMessages}, b) >= 0
}

// StoredRetainedMessages reads all files. One that cannot be read is left out: the node that owns the message sends it
// again.
func (r *retained) StoredRetainedMessages() ([]storage.Message, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("retained messages: %w", err)
	}
	var out []storage.Message
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), retainedSuffix) {
			continue
		}
		var k kept
		data, err := os.ReadFile(filepath.Join(r.dir, e.Name()))
		if err == nil {
			err = json.Unmarshal(data, &k)
		}
		if err == nil && k.Topic == "" {
			err = errors.New("it has no topic")
		}
		if err != nil {
			r.log.Warn("retained message cannot be read", "file", e.Name(), "error", err)
			continue
		}
		out = append(out, storage.Message{
			TopicName: k.Topic, Payload: k.Payload,
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: k.QoS, Retain: true},
		})
	}
	return out, nil
}

// OnRetainMessage notes the newest message of a topic; an empty one clears it.
func (r *retained) OnRetainMessage(_ *mochi.Client, pk packets.Packet, _ int64) {
	if strings.HasPrefix(pk.TopicName, "$") {
		return
	}
	var k *kept
	if len(pk.Payload) > 0 {
		k = &kept{Topic: pk.TopicName, QoS: pk.FixedHeader.Qos, Payload: bytes.Clone(pk.Payload)}
	}
	r.mu.Lock()
	r.dirty[pk.TopicName] = k
	r.mu.Unlock()
	signal(r.wake)
}

func (r *retained) run() {
	defer close(r.done)
	for range r.wake {
		r.mu.Lock()
		batch, closed := r.dirty, r.closed
		r.dirty = map[string]*kept{}
		r.mu.Unlock()
		if err := r.write(batch); err != nil {
			r.log.Error("retained messages cannot be kept", "error", err)
			r.mu.Lock()
			r.failed = err
			r.mu.Unlock()
		}
		if closed {
			return
		}
	}
}

func (r *retained) write(batch map[string]*kept) error {
	var errs []error
	for topic, k := range batch {
		sum := sha256.Sum256([]byte(topic))
		path := filepath.Join(r.dir, hex.EncodeToString(sum[:16])+retainedSuffix)
		if k == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
			continue
		}
		errs = append(errs, replaceFile(path, k))
	}
	if len(batch) > 0 {
		errs = append(errs, syncDir(r.dir))
	}
	return errors.Join(errs...)
}

func replaceFile(path string, k *kept) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// close writes what is left. A nil receiver keeps nothing.
func (r *retained) close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first {
		signal(r.wake)
	}
	<-r.done
	return r.failed
}
