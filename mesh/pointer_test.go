package mesh

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPointerFinds(t *testing.T) {
	const doc = ` {"t" : 21.5, "a/b~c": "x", "list":[ 1, {"deep": [true, null]} , "]" ], "esc\"aped": -0.5e+3,
		"text": "say \"hi\", {ok}", "":7, "t": 99, "0": "zero"} `
	for path, want := range map[string]string{
		"/t":             "21.5",
		"/a~1b~0c":       `"x"`,
		"/list":          `[ 1, {"deep": [true, null]} , "]" ]`,
		"/list/0":        "1",
		"/list/1/deep/1": "null",
		"/list/2":        `"]"`,
		`/esc"aped`:      "-0.5e+3",
		"/text":          `"say \"hi\", {ok}"`,
		"/":              "7",
		"/0":             `"zero"`,
		"":               strings.TrimSpace(doc),
	} {
		p, err := ParsePointer(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Find([]byte(doc)); !ok || string(got) != want {
			t.Errorf("%s: %q %v, want %q", path, got, ok, want)
		}
	}
	for _, path := range []string{"/T", "/list/3", "/list/-1", "/list/01", "/t/0", "/text/0", "/list/1/deep/1/x"} {
		p, err := ParsePointer(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Find([]byte(doc)); ok {
			t.Errorf("%s: found %q", path, got)
		}
	}
}

func TestPointerFindsNothingInWhatIsNotJSON(t *testing.T) {
	p, err := ParsePointer("/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{
		"", " ", "{", `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a":nope}`, `{"a":01}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`,
		`{"a":"x`, `{"a":[1,2}`, `{"a":[`, `{"b":1 "a":2}`, `{b:1,"a":2}`, `{"b" 1,"a":2}`, `{"b":,"a":2}`, `{"a":0x1}`,
		`{"a":-}`, `{"a":inf}`, `{"a":"\`, `x`, `[1]`, `"a"`, "\x00", `{"b":[,"a":1`,
	} {
		if got, ok := p.Find([]byte(doc)); ok && !strings.HasPrefix(doc, `{"a":[1,2}`) {
			t.Errorf("%q: found %q", doc, got)
		}
	}
}

func TestParsePointerRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a":                         "must begin with /",
		"/a~2":                      "~ stands only",
		"/~":                        "~ stands only",
		strings.Repeat("/x", 17):    "17 steps, above 16",
		strings.Repeat("/x", 99999): "of 199998 bytes, above 256",
	} {
		if _, err := ParsePointer(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", text, err, want)
		}
	}
}

func TestJSONID(t *testing.T) {
	for value, want := range map[string]ID{
		"0": NumberID(0), "18446744073709551615": NumberID(1<<64 - 1), `"a-1"`: TextID("a-1"), `"\u00e9"`: TextID("é"),
	} {
		if got, err := JSONID([]byte(value)); err != nil || got != want {
			t.Errorf("%s: %+v %v", value, got, err)
		}
	}
	for _, value := range []string{
		"", `""`, "-1", "1.5", "1e3", "18446744073709551616", "true", "null", "{}", `"a`, `"\x"`,
	} {
		if got, err := JSONID([]byte(value)); err == nil {
			t.Errorf("%s: accepted as %+v", value, got)
		}
	}
}

func FuzzPointer(f *testing.F) {
	f.Add("/a/0", []byte(`{"a":[1]}`))
	f.Add("/~1", []byte(`{"/":{"b":"c"}}`))
	f.Add("", []byte(` 12 `))
	f.Fuzz(func(t *testing.T, path string, doc []byte) {
		p, err := ParsePointer(path)
		if err != nil {
			return
		}
		if value, ok := p.Find(doc); ok && json.Valid(doc) && !json.Valid(value) {
			t.Errorf("%q in %q: found %q", path, doc, value)
		}
	})
}

func BenchmarkPointerFind(b *testing.B) {
	p, err := ParsePointer("/value")
	if err != nil {
		b.Fatal(err)
	}
	doc := []byte(`{"sensor":"hwmon0/temp1","kind":"temperature","unit":"C","value":41.25}`)
	b.ReportAllocs()
	for b.Loop() {
		value, _ := p.Find(doc)
		if n, ok := JSONNumber(value); !ok || n != 41.25 {
			b.Fatal(n)
		}
	}
}
