package mqtt

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// ErrGap says that a message is a record of lost outputs, not an event.
var ErrGap = errors.New("a record of lost outputs")

const (
	// maxIdentity bounds the text of an identity and of a source in bytes.
	maxIdentity = 256
	// maxSources bounds the sources that a decoder remembers.
	maxSources = 1024
)

// Decode fills an event's identity and payload from a message; the payload may share the message's memory. One
// goroutine at a time may call it.
type Decode func(topic string, payload []byte, ev *mesh.Event) error

// Reading says how to understand the payloads of one binding.
type Reading struct {
	Format mesh.Format
	// ID is a JSON pointer to the identity of a raw payload, Source one to who sent it. Without ID there is no identity,
	// without Source the topic is the source.
	ID, Source string
}

// Decoder returns the function for a reading, or why there is none.
func Decoder(r Reading) (Decode, error) {
	if r.Format != mesh.Raw && (r.ID != "" || r.Source != "") {
		return nil, errors.New("id and source belong to raw payloads: other formats carry their own")
	}
	switch r.Format {
	case mesh.Raw:
		return rawDecoder(r)
	case mesh.Causal:
		return decodeCausal, nil
	case mesh.CloudEvents:
		return cloudDecoder()
	}
	return nil, fmt.Errorf("payload format %d is not known", r.Format)
}

func rawDecoder(r Reading) (Decode, error) {
	if r.ID == "" {
		if r.Source != "" {
			return nil, errors.New("source without id identifies nothing")
		}
		return func(topic string, payload []byte, ev *mesh.Event) error {
			ev.Source, ev.Payload = topic, payload
			return nil
		}, nil
	}
	id, err := mesh.ParsePointer(r.ID)
	if err != nil {
		return nil, fmt.Errorf("id: %w", err)
	}
	source, err := mesh.ParsePointer(r.Source)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	names := names{}
	return func(topic string, payload []byte, ev *mesh.Event) error {
		ev.Source, ev.Payload = topic, payload
		if r.Source != "" {
			value, ok := source.Find(payload)
			if !ok {
				return fmt.Errorf("no %s in the payload", r.Source)
			}
			if ev.Source, err = names.of(value); err != nil {
				return fmt.Errorf("%s: %w", r.Source, err)
			}
		}
		value, ok := id.Find(payload)
		if !ok {
			return fmt.Errorf("no %s in the payload", r.ID)
		}
		if ev.ID, err = identity(value); err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
		return nil
	}, nil
}

func identity(value []byte) (mesh.ID, error) {
	if len(value) > maxIdentity {
		return mesh.ID{}, fmt.Errorf("identity of %d bytes, above %d", len(value), maxIdentity)
	}
	return mesh.JSONID(value)
}

// names turns JSON values into the names of sources, each made once.
type names map[string]string

func (n names) of(value []byte) (string, error) {
	if name, ok := n[string(value)]; ok {
		return name, nil
	}
	if len(value) > maxIdentity {
		return "", fmt.Errorf("source of %d bytes, above %d", len(value), maxIdentity)
	}
	name, ok := mesh.JSONText(value)
	if _, number := mesh.JSONNumber(value); number {
		name, ok = string(value), true
	}
	if !ok || name == "" {
		return "", errors.New("source must be a text or a number")
	}
	if len(n) >= maxSources {
		clear(n)
	}
	n[string(value)] = name
	return name, nil
}

func decodeCausal(topic string, payload []byte, ev *mesh.Event) error {
	if strings.HasSuffix(topic, "/_gap") {
		return ErrGap
	}
	f, rest, err := mesh.ParseFrame(payload)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("causal frame: %d bytes behind its end", len(rest))
	}
	ev.Daemon, ev.Epoch, ev.Incarnation, ev.Link, ev.Payload = f.Daemon, f.Epoch, f.Incarnation, f.Link, f.Payload
	return nil
}

// cloudDecoder reads CloudEvents 1.0 in their structured JSON form, the only one that MQTT 3.1.1 can carry.
func cloudDecoder() (Decode, error) {
	at := map[string]mesh.Pointer{}
	for _, name := range []string{"specversion", "id", "source", "datacontenttype", "data", "data_base64"} {
		p, err := mesh.ParsePointer("/" + name)
		if err != nil {
			return nil, err
		}
		at[name] = p
	}
	version, id, source := at["specversion"], at["id"], at["source"]
	kind, data, base64Data := at["datacontenttype"], at["data"], at["data_base64"]
	names := names{}
	return func(_ string, payload []byte, ev *mesh.Event) error {
		if value, _ := version.Find(payload); string(value) != `"1.0"` {
			return errors.New("cloudevent: specversion must be \"1.0\"")
		}
		value, _ := source.Find(payload)
		name, err := names.of(value)
		if err != nil || value[0] != '"' {
			return errors.New("cloudevent: source must be a text of at most 256 bytes")
		}
		value, _ = id.Find(payload)
		text, ok := mesh.JSONText(value)
		if !ok || text == "" || len(text) > maxIdentity {
			return errors.New("cloudevent: id must be a text of at most 256 bytes")
		}
		ev.Source, ev.ID, ev.Payload = name, mesh.TextID(text), nil
		if value, ok := base64Data.Find(payload); ok {
			return decodeBase64(value, ev)
		}
		value, ok = data.Find(payload)
		if !ok {
			return nil // an event may be without data
		}
		ev.Payload = value
		if mediaType, ok := kind.Find(payload); ok && !isJSON(mediaType) {
			if text, ok := mesh.JSONText(value); ok {
				ev.Payload = []byte(text)
			}
		}
		return nil
	}, nil
}

func decodeBase64(value []byte, ev *mesh.Event) error {
	text, ok := mesh.JSONText(value)
	if !ok {
		return errors.New("cloudevent: data_base64 must be a text")
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("cloudevent: data_base64: %w", err)
	}
	ev.Payload = data
	return nil
}

// isJSON reports whether a quoted media type means JSON.
func isJSON(quoted []byte) bool {
	text, _ := mesh.JSONText(quoted)
	text, _, _ = strings.Cut(text, ";")
	_, sub, _ := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "/")
	return sub == "json" || strings.HasSuffix(sub, "+json")
}

// Encode is the payload of a row in the format of its send. Raw payloads are returned as they are.
func Encode(root string, r *Row) ([]byte, error) {
	switch r.Send.Format {
	case mesh.Raw:
		return r.Payload, nil
	case mesh.Causal:
		frame := mesh.Frame{
			Daemon: r.Daemon, Epoch: r.Epoch, Incarnation: r.Incarnation, Link: r.Link, Payload: r.Payload,
		}
		return mesh.AppendFrame(make([]byte, 0, mesh.LinkSize+64+len(r.Daemon)+len(r.Payload)), &frame), nil
	case mesh.CloudEvents:
		return encodeCloud(root, r), nil
	}
	return nil, fmt.Errorf("payload format %d is not known", r.Send.Format)
}

func encodeCloud(root string, r *Row) []byte {
	b := make([]byte, 0, 512+2*len(r.Payload))
	b = append(b, `{"specversion":"1.0","id":"`...)
	b = strconv.AppendUint(b, r.Epoch, 10)
	b = strconv.AppendUint(append(b, '.'), uint64(r.Incarnation), 10)
	b = strconv.AppendUint(append(b, '.'), r.Link.Sequence, 10)
	b = append(b, `","source":`...)
	b = appendJSON(b, root+"/o/"+string(r.Daemon))
	b = append(b, `,"type":"edge-agent.output","subject":`...)
	b = appendJSON(b, r.Send.Topic)
	if r.Time != 0 {
		b = append(b, `,"time":"`...)
		b = time.Unix(0, r.Time).UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, '"')
	}
	b = append(b, `,"causallink":"`...)
	b = hex.AppendEncode(b, r.Link.Append(nil))
	if json.Valid(r.Payload) {
		b = append(b, `","datacontenttype":"application/json","data":`...)
		b = append(b, r.Payload...)
	} else {
		b = append(b, `","data_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.Payload)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendJSON(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return append(b, quoted...)
}
