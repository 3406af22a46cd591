package filter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mesh/meshtest"
)

func TestContract(t *testing.T) {
	meshtest.Run(t, meshtest.Case{
		Kind: Kind(), Config: `{"pass":"value.t > 20","map":"{\"t\": value.t * 2, \"of\": source}"}`,
		Events: meshtest.Messages("a", `{"t":1}`, `{"t":21}`, `{"t":"x"}`, `{"t":50,"u":[1]}`, `7`),
	})
}

func start(t testing.TB, config string) mesh.Daemon {
	t.Helper()
	d, err := Kind().New([]byte(config), mesh.Env{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func settingsOf(t testing.TB, pass, rewrite string) string {
	t.Helper()
	config, err := json.Marshal(map[string]string{"pass": pass, "map": rewrite})
	if err != nil {
		t.Fatal(err)
	}
	return string(config)
}

func TestFilters(t *testing.T) {
	for name, c := range map[string]struct{ pass, rewrite, payload, want string }{
		"a number passes":              {"value > 20", "", "21.5", "21.5"},
		"a number is dropped":          {"value > 20", "", "19", ""},
		"the payload stays as it came": {"value.t > 20", "", ` {"t" : 2.15e1} `, ` {"t" : 2.15e1} `},
		"by topic and source":          {`topic startsWith "in/" and source == "a"`, "", "1", "1"},
		"by a pattern":                 {`value.n matches "^press-[0-9]+$"`, "", `{"n":"press-12"}`, `{"n":"press-12"}`},
		"a missing field is nil":       {"value.t != nil", "", `{"u":1}`, ""},
		"a value is mapped":            {"", "value * 1.8 + 32", "100", "212"},
		"a field is taken":             {"", "value.t", `{"t":21.5}`, "21.5"},
		"an object is built in order":  {"", `{"z": value, "a": [true, nil, "x"]}`, "3", `{"a":[true,null,"x"],"z":3}`},
		"nil emits nothing":            {"", "value > 10 ? value : nil", "3", ""},
		"a list is filtered":           {"", "filter(value, # > 2)", "[1,2,3,4]", "[3,4]"},
		"a list is mapped":             {"", "map(value, .t + 1)", `[{"t":1},{"t":2}]`, "[2,3]"},
		"a list is summed up":          {"sum(value) == 6", "mean(value)", "[1,2,3]", "2"},
		"a text is taken apart":        {"", `split(value, ",")`, `"a,b"`, `["a","b"]`},
		"a text is joined":             {"", `value.a + "-" + value.b`, `{"a":"x","b":"y"}`, `"x-y"`},
		"a whole number stays one":     {"", "len(value)", "[1,2]", "2"},
	} {
		ev := meshtest.Messages("a", c.payload)[0]
		var out mesh.Outputs
		if err := start(t, settingsOf(t, c.pass, c.rewrite)).Process(&ev, &out); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		if out.Len() > 0 {
			got = string(out.Payload(0))
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestEventsThatDoNotFitAreErrors(t *testing.T) {
	for name, c := range map[string]struct{ pass, rewrite, payload, want string }{
		"not JSON":              {"true", "", "21 C", "payload: invalid character"},
		"above the limit":       {"true", "", strings.Repeat(" ", maxPayload+1), "payload of 16385 bytes, above 16384: too large"},
		"no verdict":            {"value", "", "1", "pass: gives float64, not true or false"},
		"of another type":       {"value.t > 20", "", `{"t":"warm"}`, "pass: "},
		"a field of no object":  {"value.t > 20", "", "21", "pass: "},
		"a result beyond bound": {"", "map(value, value)", "[" + strings.Repeat("1,", 4000) + "1]", "map: result above 98304 bytes"},
		"a result without end":  {"", "value / 0", "1", "map: the result is +Inf"},
		"no loop over a number": {"any(value, # > 1)", "", "1", "pass: "},
	} {
		var out mesh.Outputs
		err := start(t, settingsOf(t, c.pass, c.rewrite)).Process(&mesh.Event{Payload: []byte(c.payload)}, &out)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
			t.Errorf("%s: got %v and %d outputs, want %q", name, err, out.Len(), c.want)
		}
	}
}

func TestConfigIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"nothing":                {``, "pass: is missing: give pass, map or both"},
		"no expression":          {`{"pass":"value >"}`, "pass: unexpected token EOF (1:7)"},
		"an unknown name":        {`{"pass":"valeu > 1"}`, "pass: unknown name valeu (1:1)"},
		"an unknown function":    {`{"map":"now()"}`, "map: unknown name now (1:1)"},
		"both wrong":             {`{"pass":"(","map":")"}`, "; map: "},
		"a variable":             {`{"map":"let a = value; a + a"}`, "map: variables and sequences are not allowed"},
		"a range":                {`{"map":"1..value"}`, "map: ranges are not allowed"},
		"a pattern from outside": {`{"pass":"topic matches value"}`, "pass: the pattern of matches must be a constant text"},
		"a loop in a loop":       {`{"pass":"all(value, any(value, true))"}`, "pass: a loop within a loop is not allowed"},
		"reduce":                 {`{"map":"reduce(value, #acc + #)"}`, "map: unknown name reduce"},
		"too long":               {`{"map":"` + strings.Repeat(" ", 2000) + `1"}`, "map: expression of 2001 bytes, above 1024"},
		"too deep":               {`{"pass":"` + strings.Repeat("!", 300) + `true"}`, "pass: "},
		"a wrong name":           {`{"pas":"true"}`, "pas: unknown setting: did you mean pass?"},
	} {
		_, err := Kind().New([]byte(c.config), mesh.Env{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestNoAllowedFunctionIsCostly(t *testing.T) {
	list, err := json.Marshal(slices.Repeat([]any{1.5, "text", nil, true, []int{1}, map[string]int{"a": 1}}, 300))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range builtins {
		calls := []string{"%s(value)", "%s(value, true)", "%s(value, # == 1)", "%s(value, value)", `%s(topic, "x")`}
		for _, call := range calls {
			d, err := Kind().New([]byte(settingsOf(t, "", fmt.Sprintf(call, name))), mesh.Env{})
			if err != nil {
				continue
			}
			began := time.Now()
			for range 3 {
				var out mesh.Outputs
				if err := d.Process(&mesh.Event{Payload: list}, &out); err != nil {
					break // not every function takes such a list
				}
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf(call+" takes %v", name, took/3)
			}
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(`{"t":21.5,"list":[1,"x",null]}`))
	f.Add([]byte(`21.5`))
	d := start(f, `{"pass":"type(value) != \"map\" or value.t != 5","map":"[value, value, topic]"}`)
	f.Fuzz(func(t *testing.T, payload []byte) {
		var out mesh.Outputs
		if err := d.Process(&mesh.Event{Payload: payload}, &out); err != nil || out.Len() == 0 {
			return
		}
		if !json.Valid(out.Payload(0)) {
			t.Errorf("%q became %q", payload, out.Payload(0))
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, text := range []string{`value.t > 20 and topic endsWith "/t"`, `map(value, .a ?? 1)`, `{"a": value[1:2]}`} {
		f.Add(text, []byte(`{"t":[1,2,{"a":"b"}]}`))
	}
	f.Fuzz(func(t *testing.T, text string, payload []byte) {
		d, err := Kind().New([]byte(settingsOf(t, "", text)), mesh.Env{})
		if err != nil {
			return
		}
		var out mesh.Outputs
		if err := d.Process(&mesh.Event{Payload: payload}, &out); err == nil && out.Err() != nil {
			t.Errorf("%q: %v", text, out.Err())
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	d, out := start(b, `{"pass":"value.t > 20"}`), mesh.Outputs{}
	ev := mesh.Event{Payload: []byte(`{"device":"press-1","t":21.5}`)}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := d.Process(&ev, &out); err != nil {
			b.Fatal(err)
		}
	}
}
