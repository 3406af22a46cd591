package order_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/order"
)

func TestSpecIsToldAllItsMistakes(t *testing.T) {
	tests := []struct {
		name, spec string
		want       []string
	}{
		{"nothing", `{}`, []string{`kind is "": want the name of a kind, as edge-agent kinds lists them`}},
		{"bindings", `{"kind":"ewma","config":[1],"inputs":[{},{"topic":"a","every":"1s"},{"every":"1us"},{"daemon":"A"},` +
			`{"topic":"b"},{"topic":"b"}]}`, []string{
			`config is not an object: want {…} with the settings of the kind`,
			`inputs[0] has 0 bindings: want one of topic, daemon, every and source: machine`,
			`inputs[1] has 2 bindings: want one of topic, daemon, every and source: machine`,
			`inputs[2].every is 1µs: want at least 1ms`,
			`inputs[3].daemon is wrong: daemon id "A": character 'A' at 0: want a-z, 0-9, and _ or - after the first`,
			`inputs[5] repeats topic b: keep one of it and inputs[4]`,
		}},
		{"what only a topic has", `{"kind":"ewma","inputs":[{"every":"1s","qos":1,"format":"raw","retained":"skip"}]}`,
			[]string{
				`inputs[0].format stands beside every 1s: leave it out: it says how to read a topic`,
				`inputs[0].qos stands beside every 1s: leave it out: it says how to read a topic`,
				`inputs[0].retained stands beside every 1s: leave it out: it says how to read a topic`,
			}},
		{"identity", `{"kind":"ewma","inputs":[{"topic":"a","format":"causal","id":{"json":"/x"}},{"topic":"b",` +
			`"source":"topic","reorder":"hold(1s)"},{"topic":"c","id":{"json":"/x"},"handover":"gap"}]}`, []string{
			`inputs[0].id stands beside format causal: leave it out: the format has an id`,
			`inputs[1].source stands without id: want "id":{"json":"/field"} beside it, or neither`,
			`inputs[1].reorder stands without id: want a numbered id, because order comes from its numbers`,
			`inputs[2].handover stands beside an id: leave it out: nothing is repeated or missed`,
		}},
		{"outputs", `{"kind":"ewma","inputs":[{"topic":"plant/#"}],"outputs":[{"type":"A"},{"topic":"plant/x"},` +
			`{"to":"local","qos":1,"retained":true},{"topic":"a/+"},{"topic":"$SYS/a"},{"topic":"o"},{"topic":"o"}]}`,
			[]string{
				`outputs[0].type is "A": want 1 to 64 of a-z, 0-9, _ and -, such as out`,
				`outputs[1].topic is let in by the input plant/#: want a topic that the daemon does not read`,
				`outputs[2].qos stands beside to: local: leave it out: the output never reaches the broker`,
				`outputs[2].retained stands beside to: local: leave it out: the output never reaches the broker`,
				`outputs[3].topic is wrong: topic "a/+" has a wildcard: only filters may`,
				`outputs[4].topic is wrong: topic "$SYS/a" begins with $: such topics belong to the broker`,
				`outputs[6] repeats a type and topic: keep one of it and outputs[5]`,
			}},
		{"policies", `{"kind":"ewma","inputs":[],"snapshot":{"every_step":true,"events":5},"inbox":{"max_events":2000000,` +
			`"max_bytes":100000000,"on_full":"panic"},"on_poison":"eat","failover":"lease"}`, []string{
			`inbox.on_full is "panic": want drop_oldest, reject or spill`,
			`on_poison is "eat": want aside or retry`,
			`failover is "lease": want none`,
			`snapshot has every_step beside events or every: want one or the other`,
			`inbox.max_events is 2000000: want at most 1048576`,
			`inbox.max_bytes is 100000000: want at most 67108864`,
		}},
		{"many inputs", `{"kind":"ewma","inputs":[` + strings.Repeat(`{},`, 64) + `{}]}`,
			[]string{`inputs has 65 entries: want at most 64`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := order.ParseSpec([]byte(test.spec))
			var mistakes order.Mistakes
			if !errors.As(err, &mistakes) {
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

func mustSpec(t testing.TB, text string) order.Spec {
	t.Helper()
	spec, err := order.ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestDefaultsAreFilledIn(t *testing.T) {
	const rest = `,"snapshot":{"events":1000,"every":"1m"},"inbox":{"max_events":4096,"max_bytes":4194304},` +
		`"on_poison":"aside","failover":"none"`
	tests := []struct {
		name     string
		stateful bool
		spec     string
		want     string
	}{
		{"a stateful daemon", true, `{"kind":"ewma","inputs":[{"topic":"a"}],"outputs":[{}]}`,
			`"config":{},"inputs":[{"topic":"a","format":"raw","qos":1,"retained":"once","handover":"overlap"}],` +
				`"outputs":[{"type":"out","topic":"o/mean/out","qos":1,"format":"causal","to":"both"}],"durability":"sync"` + rest},
		{"a stateless daemon", false, `{"kind":"ewma","inputs":[{"topic":"a","id":{"json":"/n"},"qos":0}],` +
			`"outputs":[{"type":"x"}]}`,
			`"config":{},"inputs":[{"topic":"a","format":"raw","id":{"json":"/n"},"source":"topic","qos":0,` +
				`"retained":"once"}],"outputs":[{"type":"x","topic":"o/mean/x","qos":0,"format":"causal","to":"both"}],` +
				`"durability":"volatile"` + rest},
		{"a stateless daemon with a sure output", false, `{"kind":"ewma","inputs":[{"every":"1s"}],"outputs":[{"qos":1}]}`,
			`"config":{},"inputs":[{"every":"1s"}],` +
				`"outputs":[{"type":"out","topic":"o/mean/out","qos":1,"format":"causal","to":"both"}],"durability":"sync"` + rest},
		{"an output that stays", false, `{"kind":"ewma","inputs":[],"outputs":[{"to":"local"}],"snapshot":"every_step"}`,
			`"config":{},"inputs":[],"outputs":[{"type":"out","to":"local"}],"durability":"volatile",` +
				`"snapshot":{"every_step":true}` + rest[len(`,"snapshot":{"events":1000,"every":"1m"}`):]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filled := mustSpec(t, test.spec).Filled("mean", test.stateful)
			if err := filled.Validate(); err != nil {
				t.Errorf("what is filled in is wrong: %v", err)
			}
			if again := filled.Filled("mean", test.stateful); !reflect.DeepEqual(again, filled) {
				t.Error("filling it again changes it")
			}
			got := encodeSpec(t, filled)
			if want := `{"kind":"ewma",` + test.want + `}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// encodeSpec gives the spec as it stands in an assignment.
func encodeSpec(t testing.TB, spec order.Spec) string {
	t.Helper()
	text, err := order.Encode(&order.Assignment{Generation: 1, State: order.Run, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ Spec json.RawMessage }
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return string(a.Spec)
}

func TestSourceHasThreeForms(t *testing.T) {
	for text, want := range map[string]string{
		`"topic"`: `"topic"`, `{"topic":null}`: `"topic"`, `{"topic":true}`: `"topic"`, `{"json":"/a"}`: `{"json":"/a"}`,
	} {
		spec := mustSpec(t, `{"kind":"ewma","inputs":[{"topic":"a","id":{"json":"/n"},"source":`+text+`}]}`)
		if got := encodeSpec(t, spec); !strings.Contains(got, `"source":`+want) {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestPromisesAreWhatTheInputCanKeep(t *testing.T) {
	tests := []struct {
		name, input, durability string
		want                    order.Guarantee
		why                     string
	}{
		{"a raw payload", `{"topic":"a"}`, "sync", order.AtLeast, "no id"},
		{"a raw payload with an id", `{"topic":"a","id":{"json":"/n"}}`, "sync", order.ExactlyOnce, "source and id"},
		{"the same in a window", `{"topic":"a","id":{"json":"/n"}}`, "window(1s)", order.ExactlyOnce, "source and id"},
		{"the same without disk", `{"topic":"a","id":{"json":"/n"}}`, "volatile", order.AtMost, "crash"},
		{"the same at QoS 0", `{"topic":"a","id":{"json":"/n"},"qos":0}`, "sync", order.AtMost, "QoS 0"},
		{"a causal frame", `{"topic":"a","format":"causal"}`, "sync", order.ExactlyOnce, "sequence"},
		{"a cloud event", `{"topic":"a","format":"cloudevents"}`, "sync", order.ExactlyOnce, "source and id"},
		{"a daemon", `{"daemon":"mean"}`, "sync", order.ExactlyOnce, "sequence"},
		{"a timer", `{"every":"1s"}`, "sync", order.ExactlyOnce, "not made up"},
		{"this machine", `{"source":"machine"}`, "sync", order.ExactlyOnce, "journalled"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := mustSpec(t, `{"kind":"ewma","durability":"`+test.durability+`","inputs":[`+test.input+`]}`)
			got := spec.Filled("x", true).Promises()[0]
			if got.Guarantee != test.want || !strings.Contains(got.Why, test.why) {
				t.Errorf("got %+v", got)
			}
		})
	}
	spec := mustSpec(t, `{"kind":"ewma","inputs":[{"topic":"a/+"},{"topic":"+/b"},{"topic":"c"}]}`).Filled("x", true)
	for i, repeats := range []bool{true, true, false} {
		if got := spec.Promises()[i]; strings.Contains(got.Why, "may repeat") != repeats {
			t.Errorf("input %d: %+v", i, got)
		}
	}
}

func TestDurationsAreRefused(t *testing.T) {
	for _, text := range []string{"5", `"5"`, `"0s"`, `"-1s"`, `"9000h"`, `"1d"`, `""`, "true"} {
		if spec, err := order.ParseSpec([]byte(`{"kind":"ewma","inputs":[{"every":` + text + `}]}`)); err == nil {
			t.Errorf("%s is the duration %s", text, spec.Inputs[0].Every)
		}
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"kind":"ewma","inputs":[{"topic":"a","id":{"json":"/n"},"source":{"topic":null}}]}`))
	f.Add([]byte(`{"kind":"ewma","inputs":[],"outputs":[{"to":"local"}],"snapshot":"every_step"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, err := order.ParseSpec(text)
		if err != nil {
			return
		}
		filled := spec.Filled("mean", true)
		if err := filled.Validate(); err != nil {
			t.Fatalf("what is filled in is wrong: %v", err)
		}
		if len(filled.Promises()) != len(spec.Inputs) {
			t.Fatal("an input has no promise")
		}
	})
}
