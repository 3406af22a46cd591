package order_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/order"
)

// documents are one of each, written in canonical form, each with fields that no version knows yet.
var documents = []struct {
	name string
	new  func() order.Document
	text string
}{
	{"assignment", func() order.Document { return new(order.Assignment) },
		`{"v":1,"term":3,"generation":7,"epoch":2,"state":"run","force":true,"spec":{"kind":"threshold",` +
			`"config":{"above":80.50,"hold":"5s"},"inputs":[{"topic":"plant/+/t","format":"raw","id":{"json":"/seq"},` +
			`"source":{"json":"/dev"},"qos":1,"retained":"skip","reorder":"hold(2s)","tint":[1,{"a":null}]},` +
			`{"daemon":"mean"},{"every":"1m"},{"source":"machine"}],"outputs":[{"type":"alarm","topic":"plant/alarm",` +
			`"qos":0,"format":"cloudevents","retained":true,"to":"broker","hue":1}],"requires":"hardware.memory_mb>=512",` +
			`"durability":"window(50ms)","snapshot":{"events":10,"every":"5m","hue":2},"inbox":{"max_events":5,` +
			`"max_bytes":65536,"on_full":"reject"},"on_poison":"retry","failover":"none","hue":"x"},"hue":{"a":1,"b":2}}`},
	{"report", func() order.Document { return new(order.Report) },
		`{"v":1,"term":3,"generation":7,"epoch":2,"state":"refused","wanted":"run","kind":"threshold","name":"Alarm",` +
			`"refused":"stale_term","asked":8,"seen":9,"error":"a newer controller speaks","mistakes":[{"path":"spec.kind",` +
			`"problem":"is \"x\"","want":"want y"}],"unmet":[{"term":"hardware.gpu","change":"a node with hardware.gpu",` +
			`"hue":1}],"ignored":["spec.hue"],"body":"00ff","durability":"sync","inputs":[{"input":"every 1m",` +
			`"guarantee":"exactly once","why":"a tick is journalled"}],"head":{"origin":"00000000000000aa","sequence":5,` +
			`"horizon":"0000000000000001","parent":"00000000000000bb","next":"00000000000000cc","epoch":2},` +
			`"health":{"level":"degraded","reason":"slow"},"saturation":0.25,"stats":{"events":12,"late":1},` +
			`"time":"2026-01-02T03:04:05Z","hue":[true,false]}`},
	{"caps", func() order.Document { return new(order.Caps) },
		`{"v":1,"revision":4,"node":"pi-00ff00","version":"0.1.0","tags":["hardware.gpu","software.os=linux"],` +
			`"metadata":{"room":"12"},"kinds":[{"name":"ewma","version":"1","stateful":true,"schema":1,` +
			`"requires":"hardware.gpu","hue":1}],"limits":{"daemons":256},"evidence":[{"subject":"cpu","answer":"complete",` +
			`"facts":12}],"hue":"<&>"}`},
	{"presence", func() order.Document { return new(order.Presence) },
		`{"v":1,"node":"pi-00ff00","boot":3,"attempt":1,"instance":"000102030405060708090a0b0c0d0e0f","state":"ready",` +
			`"caps":"00ff","hue":1.50}`},
	{"heartbeat", func() order.Document { return new(order.Heartbeat) },
		`{"v":1,"uptime":86400,"saturation":0.5,"health":{"level":"healthy"},"free":{"memory_mb":512},` +
			`"gauges":{"cpu_celsius":51.5},"outbox":{"rows":1,"bytes":200,"age_ms":15},"daemons":"00ff","hue":1}`},
	{"lifecycle event", func() order.Document { return new(order.Lifecycle) },
		`{"v":1,"daemon":"mean","event":"crashed","reason":"panic: index out of range","hue":1}`},
	{"gap record", func() order.Document { return new(order.Gap) },
		`{"v":1,"daemon":"mean","epoch":2,"incarnation":1,"from":5,"to":9,"reason":"outbox full","hue":1}`},
	{"command", func() order.Document { return new(order.Command) },
		`{"v":1,"id":"c1","expires":"2026-01-02T03:04:05Z","do":"snapshot","daemon":"mean","grace":"1.5s","hue":1}`},
	{"ack", func() order.Document { return new(order.Ack) },
		`{"v":1,"id":"c1","state":"failed","reason":"no such daemon","lines":["a\tb","c"],"hue":1}`},
}

func TestDocumentsAreWrittenAsTheyWereRead(t *testing.T) {
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			doc := d.new()
			if err := order.Parse([]byte(d.text), doc); err != nil {
				t.Fatal(err)
			}
			got, err := order.Encode(doc)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != d.text {
				t.Errorf("got  %s\nwant %s", got, d.text)
			}
			if doc.Document() != d.name {
				t.Errorf("it calls itself %s", doc.Document())
			}
		})
	}
}

func TestAnotherMajorVersionIsRefused(t *testing.T) {
	for _, d := range documents {
		err := order.Parse([]byte(strings.Replace(d.text, `"v":1`, `"v":2`, 1)), d.new())
		var version *order.VersionError
		if !errors.As(err, &version) || version.Version != 2 || version.Document != d.name {
			t.Errorf("%s: %v", d.name, err)
		}
	}
}

func TestMistakesSayWhereAndWhatInstead(t *testing.T) {
	const head = `{"v":1,"generation":1,"state":"run","spec":{"kind":"ewma"`
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing", ``, []string{`the document is not JSON at byte 0: it ends too early`}},
		{"half a document", `{"v":1,"gen`, []string{`the document is not JSON at byte 7: it ends too early`}},
		{"something behind", `{"v":1} {}`, []string{`the document is not JSON at byte 9: something follows the document`}},
		{"a list", `[1]`, []string{`the document is a list: want an object: {…}`}},
		{"bytes that are not UTF-8", "{\"v\":1,\"\xff\":1}", []string{`the document is not UTF-8: want JSON in UTF-8`}},
		{"no version", `{"generation":1,"state":"stop"}`, []string{`v is missing: want "v":1`}},
		{"a version in quotes", `{"v":"1","generation":1,"state":"stop"}`, []string{`v is "1": want the number 1`}},
		{"a name twice", head + `,"kind":"x"}}`, []string{`spec.kind stands twice: keep one of them`}},
		{"a name twice that nobody knows", `{"v":1,"generation":1,"state":"stop","a b":{"c":1,"c":2}}`,
			[]string{`["a b"].c stands twice: keep one of them`}},
		{"all at once", `{"v":1,"term":-1,"generation":1.5,"epoch":9007199254740992,"state":"walk","force":"yes","spec":[]}`,
			[]string{
				`term is -1: want a whole number from 0 to 9007199254740991`,
				`generation is 1.5: want a whole number from 0 to 9007199254740991`,
				`epoch is 9007199254740992: want a whole number from 0 to 9007199254740991`,
				`state is "walk": want run, standby, frozen, stop or gone`,
				`force is "yes": want true or false`,
				`spec is a list: want an object: {…}`,
			}},
		{"types deep inside", head + `,"inputs":[{"topic":5,"qos":2,"source":"me","id":{"json":"seq"}},null],` +
			`"snapshot":"often","durability":"window(1h)","requires":"hardware.gpu or","inbox":{"max_bytes":4294967296}}}`,
			[]string{
				`spec.inputs[0].topic is 5: want a text in quotes`,
				`spec.inputs[0].qos is 2: want 0 or 1`,
				`spec.inputs[0].source is "me": want "machine", "topic" or {"json":"/field"}`,
				`spec.inputs[0].id.json is "seq": want a JSON pointer such as "/seq"`,
				`spec.inputs[1] is null: leave the entry out`,
				`spec.snapshot is "often": want {"events":1000,"every":"60s"} or "every_step"`,
				`spec.durability is wrong: "window(1h)" is not a durability: want sync, volatile, or window(D) with D up to 10s`,
				`spec.requires is wrong: filter "hardware.gpu or": at byte 15: ` +
					`the end stands where a tag such as hardware.gpu should`,
				`spec.inbox.max_bytes is 4294967296: want a whole number from 0 to 4294967295`,
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var mistakes order.Mistakes
			if err := order.Parse([]byte(test.text), new(order.Assignment)); !errors.As(err, &mistakes) {
				t.Fatalf("got %v", err)
			}
			got := make([]string, len(mistakes))
			for i, m := range mistakes {
				got[i] = m.String()
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestParseKeepsTheNumbersOfWhatItRefuses(t *testing.T) {
	var a order.Assignment
	err := order.Parse([]byte(`{"v":1,"term":4,"generation":5,"epoch":6,"state":"run","spec":{"kind":7}}`), &a)
	if err == nil || a.Term != 4 || a.Generation != 5 || a.Epoch != 6 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestOversizeIsRefused(t *testing.T) {
	long := `{"v":1,"id":"c1","state":"done","lines":["` + strings.Repeat("x", 15<<10) + `"` +
		strings.Repeat(`,"`+strings.Repeat("y", 15<<10)+`"`, 6) + `]}`
	var ack order.Ack
	if err := order.Parse([]byte(long), &ack); err == nil || !strings.Contains(err.Error(), "want at most 98304") {
		t.Errorf("got %.100v", err)
	}
	for range 7 {
		ack.Lines = append(ack.Lines, strings.Repeat("x", 15<<10))
	}
	ack.ID, ack.State = "c1", order.Done
	if _, err := order.Encode(&ack); err == nil || !strings.Contains(err.Error(), "want at most 98304") {
		t.Errorf("got %.100v", err)
	}
}

func FuzzDocuments(f *testing.F) {
	for i, d := range documents {
		f.Add(uint8(i), []byte(d.text))
	}
	for i := range documents {
		f.Add(uint8(i), []byte(`{"v":1,"health":{},"inputs":[{}]}`))
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		d := documents[int(which)%len(documents)]
		doc, again := d.new(), d.new()
		if order.Parse(text, doc) != nil {
			return
		}
		canonical, err := order.Encode(doc)
		if err != nil {
			return // canonical numbers and escapes can be longer than what was read
		}
		if err := order.Parse(canonical, again); err != nil {
			t.Fatalf("%s: %v", canonical, err)
		}
		twice, err := order.Encode(again)
		if err != nil || string(twice) != string(canonical) {
			t.Fatalf("%s became %s: %v", canonical, twice, err)
		}
	})
}
