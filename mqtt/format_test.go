package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edge-agent/edge-agent/mesh"
)

var sampleRow = Row{
	Daemon: "ewma-1", Epoch: 3, Incarnation: 2, Link: mesh.Link{Origin: 1, Horizon: 2, Sequence: 7, Parent: 4},
	Payload: []byte(`{"v": 21.5}`), Time: 1764547200_000000001, Send: mesh.Send{Topic: "edge/v1/f/o/ewma-1/out"},
}

func TestDecodeGivesIdentityAndPayload(t *testing.T) {
	raw := Reading{ID: "/seq", Source: "/dev"}
	frame := must(Encode("edge/v1/f", row(mesh.Causal)))(t)
	for name, c := range map[string]struct {
		reading Reading
		payload string
		want    mesh.Event
		fail    string
	}{
		"raw":            {Reading{}, "21.5", mesh.Event{Source: "t", Payload: []byte("21.5")}, ""},
		"raw, numbered":  {raw, `{"seq":7,"dev":"a"}`, mesh.Event{Source: "a", ID: mesh.NumberID(7)}, ""},
		"raw, named":     {raw, `{"dev":12,"seq":"é"}`, mesh.Event{Source: "12", ID: mesh.TextID("é")}, ""},
		"raw, topic":     {Reading{ID: "/0"}, `[5]`, mesh.Event{Source: "t", ID: mesh.NumberID(5)}, ""},
		"raw, no id":     {raw, `{"dev":"a"}`, mesh.Event{}, "no /seq in the payload"},
		"raw, no source": {raw, `{"seq":1}`, mesh.Event{}, "no /dev in the payload"},
		"raw, bad id":    {raw, `{"seq":1.5,"dev":"a"}`, mesh.Event{}, "/seq: id must be"},
		"raw, long id":   {raw, `{"dev":"a","seq":"` + strings.Repeat("x", 300) + `"}`, mesh.Event{}, "above 256"},
		"raw, no JSON":   {raw, "\x00\xff", mesh.Event{}, "in the payload"},
		"causal": {Reading{Format: mesh.Causal}, string(frame), mesh.Event{
			Daemon: "ewma-1", Epoch: 3, Incarnation: 2, Link: sampleRow.Link, Payload: sampleRow.Payload,
		}, ""},
		"causal, two frames": {Reading{Format: mesh.Causal}, string(frame) + string(frame), mesh.Event{}, "behind its end"},
		"causal, cut":        {Reading{Format: mesh.Causal}, string(frame[:20]), mesh.Event{}, "cut short"},
		"cloudevent": {
			Reading{Format: mesh.CloudEvents}, `{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{"v":1}}`,
			mesh.Event{Source: "/s", ID: mesh.TextID("a"), Payload: []byte(`{"v":1}`)}, "",
		},
		"cloudevent, bytes": {
			Reading{Format: mesh.CloudEvents}, `{"specversion":"1.0","id":"a","source":"s","type":"t","data_base64":"AAE="}`,
			mesh.Event{Source: "s", ID: mesh.TextID("a"), Payload: []byte{0, 1}}, "",
		},
		"cloudevent, text": {
			Reading{Format: mesh.CloudEvents},
			`{"specversion":"1.0","id":"a","source":"s","type":"t","datacontenttype":"text/plain","data":"hi"}`,
			mesh.Event{Source: "s", ID: mesh.TextID("a"), Payload: []byte("hi")}, "",
		},
		"cloudevent, JSON text": {
			Reading{Format: mesh.CloudEvents},
			`{"specversion":"1.0","id":"a","source":"s","type":"t","datacontenttype":"Application/JSON; x=y","data":"hi"}`,
			mesh.Event{Source: "s", ID: mesh.TextID("a"), Payload: []byte(`"hi"`)}, "",
		},
		"cloudevent, empty": {
			Reading{Format: mesh.CloudEvents}, `{"specversion":"1.0","id":"a","source":"s","type":"t"}`,
			mesh.Event{Source: "s", ID: mesh.TextID("a")}, "",
		},
		"cloudevent, old": {Reading{Format: mesh.CloudEvents}, `{"specversion":"0.3"}`, mesh.Event{}, "specversion"},
		"cloudevent, no source": {
			Reading{Format: mesh.CloudEvents}, `{"specversion":"1.0","id":"a"}`, mesh.Event{}, "source",
		},
		"cloudevent, no id": {
			Reading{Format: mesh.CloudEvents}, `{"specversion":"1.0","source":"s","id":1}`, mesh.Event{}, "id must be",
		},
		"cloudevent, bad bytes": {
			Reading{Format: mesh.CloudEvents}, `{"specversion":"1.0","id":"a","source":"s","data_base64":"?"}`, mesh.Event{},
			"data_base64",
		},
	} {
		decode := must(Decoder(c.reading))(t)
		if c.want.Payload == nil && c.fail == "" && c.reading.Format == mesh.Raw {
			c.want.Payload = []byte(c.payload)
		}
		for range 2 { // the second time with what the first one remembered
			var ev mesh.Event
			err := decode("t", []byte(c.payload), &ev)
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("%s: got %v, want %q", name, err, c.fail)
				}
			} else if err != nil || !cmp.Equal(ev, c.want, cmp.AllowUnexported(mesh.ID{})) {
				t.Errorf("%s: got %+v %v, want %+v", name, ev, err, c.want)
			}
		}
	}
}

func row(f mesh.Format) *Row {
	r := sampleRow
	r.Send.Format = f
	return &r
}

func TestGapRecordIsNoEvent(t *testing.T) {
	record := []byte(`{"v":1,"daemon":"d","from":3,"to":4}`)
	if err := decodeCausal("edge/v1/default/o/d/_gap", record, new(mesh.Event)); !errors.Is(err, ErrGap) {
		t.Errorf("got %v", err)
	}
}

func TestDecoderRefusesReadingsThatMeanNothing(t *testing.T) {
	for want, r := range map[string]Reading{
		"belong to raw payloads":    {Format: mesh.Causal, ID: "/x"},
		"source without id":         {Source: "/x"},
		"must begin with /":         {ID: "x"},
		"source: pointer":           {ID: "/x", Source: "x"},
		"format 9 is not known":     {Format: 9},
		"id and source belong":      {Format: mesh.CloudEvents, Source: "/x"},
		"id: pointer \"/~\": ~ sta": {ID: "/~"},
	} {
		if _, err := Decoder(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", r, err, want)
		}
	}
}

func TestEncodeCloudEvent(t *testing.T) {
	r := row(mesh.CloudEvents)
	got := must(Encode("edge/v1/f", r))(t)
	want := `{"specversion":"1.0","id":"3.2.7","source":"edge/v1/f/o/ewma-1","type":"edge-agent.output",` +
		`"subject":"edge/v1/f/o/ewma-1/out","time":"2025-12-01T00:00:00.000000001Z",` +
		`"causallink":"0100000000000000020000000000000007000000000000000400000000000000",` +
		`"datacontenttype":"application/json","data":{"v": 21.5}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Payload = []byte{0, 1}
	got = must(Encode("edge/v1/f", r))(t)
	if !json.Valid(got) || !bytes.HasSuffix(got, []byte(`,"data_base64":"AAE="}`)) {
		t.Errorf("got %s", got)
	}
}

func TestDecodeMakesNothingAnewForKnownSources(t *testing.T) {
	decode := must(Decoder(Reading{ID: "/seq", Source: "/dev"}))(t)
	payload := []byte(`{"dev":"station-12","seq":42,"v":21.5}`)
	var ev mesh.Event
	if n := testing.AllocsPerRun(1000, func() { check(t, decode("t", payload, &ev)) }); n > 1 { // the digits of the number
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecodeRaw compares with the standard library.
func FuzzDecodeRaw(f *testing.F) {
	for _, s := range []string{`{"seq":1,"dev":"a"}`, `{"dev":"a","seq":"b"}`, `{"seq":1e3,"dev":2}`, `[]`, `{"seq":`} {
		f.Add([]byte(s))
	}
	decode, err := Decoder(Reading{ID: "/seq", Source: "/dev"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var ev mesh.Event
		if err := decode("t", payload, &ev); err != nil || !json.Valid(payload) {
			return
		}
		var fields map[string]json.RawMessage
		check(t, json.Unmarshal(payload, &fields))
		if len(fields) != len(topKeys(payload)) {
			return // of equal keys the first counts here, the last there
		}
		var text string
		if json.Unmarshal(fields["dev"], &text) != nil {
			text = string(fields["dev"])
		}
		want, err := mesh.JSONID(bytes.TrimSpace(fields["seq"]))
		if err != nil || ev.ID != want || ev.Source != text {
			t.Errorf("%s: got %+v from %q, want %+v from %q", payload, ev.ID, ev.Source, want, text)
		}
	})
}

// topKeys lists the keys of an object, repeats included.
func topKeys(object []byte) (keys []string) {
	d := json.NewDecoder(bytes.NewReader(object))
	depth, key := 0, true
	for {
		token, err := d.Token()
		if err != nil {
			return keys
		}
		delim, isDelim := token.(json.Delim)
		switch {
		case isDelim && (delim == '{' || delim == '['):
			depth++
			if depth > 1 {
				key = true
			}
		case isDelim:
			depth--
		case depth == 1 && key:
			keys = append(keys, token.(string))
			key = false
		case depth == 1:
			key = true
		}
	}
}

// FuzzDecodeCloudEvent holds that what is accepted is bounded, and that what is encoded is read back.
func FuzzDecodeCloudEvent(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{"v":1}}`))
	f.Add([]byte(`{"specversion":"1.0","id":"a","source":"/s","data_base64":"AA=="}`))
	decode, err := Decoder(Reading{Format: mesh.CloudEvents})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var ev mesh.Event
		if decode("t", payload, &ev) == nil {
			if id, ok := ev.ID.Text(); !ok || id == "" || len(id) > maxIdentity || len(ev.Source) > 2*maxIdentity {
				t.Errorf("%q: %+v", payload, ev)
			}
			if len(ev.Payload) > len(payload) {
				t.Errorf("%q grew to %d bytes", payload, len(ev.Payload))
			}
		}
		r := row(mesh.CloudEvents)
		r.Payload = payload
		ev = mesh.Event{}
		encoded, err := Encode("edge/v1/f", r)
		check(t, err)
		check(t, decode("t", encoded, &ev))
		if !bytes.Equal(bytes.TrimSpace(ev.Payload), bytes.TrimSpace(payload)) {
			t.Errorf("%q came back as %q", payload, ev.Payload)
		}
	})
}
