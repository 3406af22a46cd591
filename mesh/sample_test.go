package mesh

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSampleOnTheWire(t *testing.T) {
	s := Sample{Sensor: "hwmon0/temp1", Value: 41.5, Unit: "C", Kind: "temperature"}
	want := `{"sensor":"hwmon0/temp1","value":41.5,"unit":"C","kind":"temperature"}`
	if got := string(s.Append(nil)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if s.Topic() != "machine/temperature/hwmon0/temp1" {
		t.Errorf("topic %s", s.Topic())
	}
	s.Value = math.NaN()
	if got := string(s.Append(nil)); !strings.Contains(got, `"value":null`) {
		t.Errorf("not a number became %s", got)
	}
}

func TestSampleComesBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Sample{
			Sensor: rapid.String().Draw(t, "sensor"), Value: rapid.Float64().Draw(t, "value"),
			Unit: rapid.String().Draw(t, "unit"), Kind: rapid.String().Draw(t, "kind"),
		}
		raw := want.Append(nil)
		if !json.Valid(raw) {
			t.Fatalf("not JSON: %s", raw)
		}
		if got, err := ParseSample(raw); err != nil || got != want {
			t.Fatalf("%s: %+v, %v", raw, got, err)
		}
	})
}

func TestParseSampleRefuses(t *testing.T) {
	for payload, want := range map[string]string{
		``:                          "sample: unexpected end",
		`{"sensor":"a"}`:            `sensor "a": no value`,
		`{"value":null}`:            "no value",
		`{"value":"1"}`:             "cannot unmarshal string",
		`{"value":1e999}`:           "cannot unmarshal number",
		`{"sensor":1,"value":1}`:    "cannot unmarshal number",
		`{"sensor":"a","value":1}x`: "invalid character",
	} {
		if _, err := ParseSample([]byte(payload)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", payload, err, want)
		}
	}
}

func FuzzSample(f *testing.F) {
	f.Add([]byte(`{"sensor":"a","value":1.5,"unit":"C","kind":"temperature"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSample(b)
		if err != nil {
			return
		}
		if again, err := ParseSample(s.Append(nil)); err != nil || again != s {
			t.Errorf("%+v came back as %+v, %v", s, again, err)
		}
	})
}
