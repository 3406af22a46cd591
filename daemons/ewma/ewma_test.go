package ewma

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mesh/meshtest"
)

func TestContract(t *testing.T) {
	t.Run("alpha", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{
			Kind: Kind(), Config: `{"alpha":0.3,"every":2}`,
			Events: meshtest.Messages("a", "1", "2.5", "-3", `{"value":4}`, "x", "1e308", "-1e308", "0.1"),
		})
	})
	t.Run("half-life", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{
			Kind: Kind(), Config: `{"half_life":"3s","key":"/sensor","keys":2}`,
			Events: meshtest.Samples(
				mesh.Sample{Sensor: "hwmon0/temp1", Value: 40.5}, mesh.Sample{Sensor: "hwmon0/temp2", Value: 30},
				mesh.Sample{Sensor: "hwmon0/temp1", Value: 41}, mesh.Sample{Sensor: "hwmon1/fan1", Value: 900},
				mesh.Sample{Sensor: "hwmon0/temp2", Value: math.NaN()}, mesh.Sample{Sensor: "hwmon0/temp1", Value: 45},
			),
		})
	})
}

func start(t testing.TB, config string) *ewma {
	t.Helper()
	d, err := Kind().New([]byte(config), mesh.Env{ID: "e1"})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*ewma)
}

func run(t testing.TB, d mesh.Daemon, events []mesh.Event) []string {
	t.Helper()
	var got []string
	for _, ev := range events {
		var out mesh.Outputs
		if err := d.Process(&ev, &out); err != nil {
			t.Fatal(err)
		}
		for i := range out.Len() {
			got = append(got, string(out.Payload(i)))
		}
	}
	return got
}

func TestAverages(t *testing.T) {
	tick := mesh.Event{Trigger: mesh.Tick, Time: int64(time.Minute)}
	for name, c := range map[string]struct {
		config string
		events []mesh.Event
		want   []string
	}{
		"the first value stands for itself": {
			"", meshtest.Messages("a", "10"), []string{`{"key":"a","value":10,"count":1}`},
		},
		"alpha weighs the new value": {
			`{"alpha":0.5}`, meshtest.Messages("a", "10", "20", "15"),
			[]string{
				`{"key":"a","value":10,"count":1}`, `{"key":"a","value":15,"count":2}`, `{"key":"a","value":15,"count":3}`,
			},
		},
		"half of an old value is left after the half-life": {
			`{"half_life":"1s"}`, meshtest.Messages("a", "0", "16", "16"),
			[]string{
				`{"key":"a","value":0,"count":1}`, `{"key":"a","value":8,"count":2}`, `{"key":"a","value":12,"count":3}`,
			},
		},
		"every second value": {
			`{"alpha":1,"every":2}`, meshtest.Messages("a", "1", "2", "3"), []string{`{"key":"a","value":2,"count":2}`},
		},
		"a tick tells all keys in the order they came": {
			`{"every":100,"key":"/k"}`,
			append(meshtest.Messages("a", `{"k":"z","value":1}`, `{"k":"b","value":2}`), tick),
			[]string{`{"key":"z","value":1,"count":1}`, `{"key":"b","value":2,"count":1}`},
		},
		"the largest numbers do not overflow": {
			`{"alpha":0.5}`, meshtest.Messages("a", "1.7e308", "-1.7e308"),
			[]string{`{"key":"a","value":1.7e+308,"count":1}`, `{"key":"a","value":0,"count":2}`},
		},
	} {
		if got := run(t, start(t, c.config), c.events); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestRestartGivesBackTheVeryBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := startRapid(t)
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 50).Draw(t, "values")
		cut := rapid.IntRange(0, len(values)).Draw(t, "cut")
		parts := startRapid(t)
		for i, value := range values {
			if i == cut {
				state, err := parts.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				parts = startRapid(t)
				if err := parts.Restore(state); err != nil {
					t.Fatal(err)
				}
			}
			ev := mesh.Event{Source: "a", Time: int64(i) * 1e8, Payload: []byte(fmt.Sprint(value))}
			for _, d := range []*ewma{whole, parts} {
				var out mesh.Outputs
				if err := d.Process(&ev, &out); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, _ := whole.averages.At([]byte("a"))
		b, _ := parts.averages.At([]byte("a"))
		if math.Float64bits(a.value) != math.Float64bits(b.value) || *a != *b {
			t.Fatalf("%+v, after a restart %+v", *a, *b)
		}
	})
}

func startRapid(t *rapid.T) *ewma {
	d, err := Kind().New([]byte(`{"half_life":"1s"}`), mesh.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*ewma)
}

func TestConfigIsRefused(t *testing.T) {
	for config, want := range map[string]string{
		`{"alpha":0}`:                    "config: alpha: must be above 0 and at most 1",
		`{"alpha":1.01}`:                 "config: alpha: must be above 0 and at most 1",
		`{"alpha":0.5,"half_life":"1s"}`: "config: half_life: stands instead of alpha: give one of the two",
		`{"half_life":"0s"}`:             "config: half_life: must be from 1ms to 8760h0m0s, not 0s",
		`{"value":"t","halflife":"1s"}`: `config: halflife: unknown setting: did you mean half_life?; ` +
			`value: pointer "t": must begin with /`,
		`{"keys":"many","alpha":"small"}`: `config: keys: must be a whole number, not "many"; ` +
			`alpha: must be a number, not "small"`,
	} {
		if _, err := Kind().New([]byte(config), mesh.Env{}); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", config, err, want)
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(`{"value":41.5,"sensor":"a"}`), []byte("2"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := start(t, `{"half_life":"1s"}`)
		for i, payload := range [][]byte{first, second} {
			var out mesh.Outputs
			if d.Process(&mesh.Event{Payload: payload, Time: int64(i)}, &out) != nil {
				continue
			}
			a, err := d.averages.At(nil)
			if err != nil || math.IsNaN(a.value) || math.IsInf(a.value, 0) || out.Len() != 1 {
				t.Errorf("%q: average %v, %d outputs, %v", payload, a.value, out.Len(), err)
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	d := start(f, "")
	run(f, d, meshtest.Messages("a", "1", "2"))
	state, err := d.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state)
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
	d, out := start(b, `{"key":"/sensor"}`), mesh.Outputs{}
	ev := mesh.Event{Payload: []byte(`{"sensor":"hwmon0/temp1","value":41.25,"unit":"C","kind":"temperature"}`)}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := d.Process(&ev, &out); err != nil {
			b.Fatal(err)
		}
	}
}
