package sensor

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mesh/meshtest"
)

func TestContract(t *testing.T) {
	samples := meshtest.Samples(
		mesh.Sample{Sensor: "hwmon0/temp1", Value: 40, Unit: "C", Kind: "temperature"},
		mesh.Sample{Sensor: "hwmon0/fan1", Value: 900, Unit: "rpm", Kind: "fan"},
		mesh.Sample{Sensor: "hwmon0/temp1", Value: 40.2, Unit: "C", Kind: "temperature"},
		mesh.Sample{Sensor: "hwmon0/temp1", Value: 41.5, Unit: "C", Kind: "temperature"},
		mesh.Sample{Sensor: "hwmon0/temp2", Value: 41.5, Unit: "C", Kind: "temperature"},
		mesh.Sample{Sensor: "hwmon0/temp1", Value: 41.5, Unit: "C", Kind: "temperature"},
	)
	t.Run("all", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{Kind: Kind(), Events: samples})
	})
	t.Run("some, when they change", func(t *testing.T) {
		config := `{"match":["temperature/*"],"min_change":0.5,"min_interval":"2s","max_interval":"1m","sensors":1}`
		meshtest.Run(t, meshtest.Case{Kind: Kind(), Config: config, Events: samples})
	})
}

func start(t testing.TB, config string) *sensor {
	t.Helper()
	d, err := Kind().New([]byte(config), mesh.Env{ID: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*sensor)
}

// emitted plays readings of temperature/a, one a second, and gives the seconds whose reading was emitted.
func emitted(t *testing.T, config string, values ...float64) string {
	t.Helper()
	d, got := start(t, config), []string(nil)
	for second, value := range values {
		sample := mesh.Sample{Sensor: "a", Kind: "temperature", Unit: "C", Value: value}
		var out mesh.Outputs
		ev := mesh.Event{Trigger: mesh.Reading, Time: int64(second) * int64(time.Second), Payload: sample.Append(nil)}
		if err := d.Process(&ev, &out); err != nil {
			t.Fatal(err)
		}
		if out.Len() == 0 {
			continue
		}
		if payload := out.Payload(0); string(payload) != string(ev.Payload) {
			t.Errorf("%s became %s", ev.Payload, payload)
		}
		got = append(got, fmt.Sprint(second))
	}
	return strings.Join(got, " ")
}

func TestEmits(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		values []float64
		want   string
	}{
		"every reading":                   {``, []float64{1, 1, 2}, "0 1 2"},
		"what matches":                    {`{"match":["fan/*","temperature/?"]}`, []float64{1}, "0"},
		"nothing else":                    {`{"match":["fan/*","temperature"]}`, []float64{1}, ""},
		"a change that is large enough":   {`{"min_change":2}`, []float64{10, 11, 11.5, 12, 11, 10}, "0 3 5"},
		"not too often":                   {`{"min_interval":"2s"}`, []float64{1, 2, 3, 4, 5}, "0 2 4"},
		"after a while even unchanged":    {`{"min_change":1,"max_interval":"3s"}`, slices.Repeat([]float64{5}, 8), "0 3 6"},
		"a change does not hurry":         {`{"min_change":1,"min_interval":"3s"}`, []float64{0, 9, 9, 0, 0}, "0"},
		"a change that lasts is not lost": {`{"min_change":1,"min_interval":"3s"}`, []float64{0, 9, 9, 9, 0}, "0 3"},
	} {
		if got := emitted(t, c.config, c.values...); got != c.want {
			t.Errorf("%s: seconds %q, want %q", name, got, c.want)
		}
	}
}

func TestRefusesWhatIsNoSample(t *testing.T) {
	for payload, want := range map[string]string{
		`21.5`:               "sample: json: cannot unmarshal number",
		`{"value":1}`:        "sample: no sensor",
		`{"sensor":"a"}`:     `sample of sensor "a": no value`,
		`{"sensor":"a","kin`: "sample: unexpected end of JSON input",
	} {
		var out mesh.Outputs
		err := start(t, "").Process(&mesh.Event{Trigger: mesh.Reading, Payload: []byte(payload)}, &out)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", payload, err, want)
		}
	}
}

func TestConfigIsRefused(t *testing.T) {
	for config, want := range map[string]string{
		`{"match":[]}`:                              "config: match: must have 1 to 64 patterns, not 0",
		`{"match":["a",""]}`:                        "config: match: a pattern must have 1 to 256 characters",
		`{"min_change":-1}`:                         "config: min_change: must not be negative",
		`{"minchange":1}`:                           "config: minchange: unknown setting: did you mean min_change?",
		`{"max_interval":"1m","min_interval":"2m"}`: "config: max_interval: must not be less than min_interval",
	} {
		if _, err := Kind().New([]byte(config), mesh.Env{}); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", config, err, want)
		}
	}
}

func TestGlobAgreesWithThatOfPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		text := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "text")
		want, err := path.Match(pattern, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := glob(pattern, []byte(text)); got != want {
			t.Fatalf("%q covers %q: %t, want %t", pattern, text, got, want)
		}
	})
	if !glob("temperature/*", []byte("temperature/hwmon0/temp1")) {
		t.Error("a star must cover a slash")
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(`{"sensor":"a","value":1.5,"unit":"C","kind":"temperature"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var out mesh.Outputs
		ev := mesh.Event{Trigger: mesh.Reading, Payload: payload}
		if start(t, "").Process(&ev, &out) != nil {
			return
		}
		if out.Len() != 1 || out.Err() != nil {
			t.Fatalf("%d outputs, %v", out.Len(), out.Err())
		}
		if _, err := mesh.ParseSample(out.Payload(0)); err != nil {
			t.Error(err)
		}
	})
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte{1, 1, 1, 'a', 2, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, state []byte) {
		d := start(t, "")
		if d.Restore(state) != nil {
			return
		}
		if again, err := d.Snapshot(); err != nil || string(again) != string(state) {
			t.Errorf("%x came back as %x, %v", state, again, err)
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	d, out := start(b, `{"match":["temperature/*"]}`), mesh.Outputs{}
	ev := mesh.Event{Trigger: mesh.Reading}
	ev.Payload = []byte(`{"sensor":"hwmon0/temp1","value":41.25,"unit":"C","kind":"temperature"}`)
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := d.Process(&ev, &out); err != nil {
			b.Fatal(err)
		}
	}
}
