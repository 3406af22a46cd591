package threshold

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mesh/meshtest"
)

func TestContract(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{
			Kind: Kind(), Config: `{"above":80,"below":10,"hysteresis":5}`,
			Events: meshtest.Messages("a", "50", "81", "76", "74", "5", "x", "90", "50"),
		})
	})
	t.Run("after a hold", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{
			Kind: Kind(), Config: `{"above":80,"hold":"3s","release":"2s","key":"/key","keys":2}`,
			Events: meshtest.Messages("a", `{"key":"p","value":81}`, `{"key":"q","value":81}`, `{"key":"p","value":82}`,
				`{"key":"p","value":83}`, `{"key":"r","value":1}`, `{"key":"p","value":1}`, `{"key":"q","value":1}`,
				`{"key":"p","value":1}`, `{"key":"p","value":1}`),
		})
	})
}

func start(t testing.TB, config string) *threshold {
	t.Helper()
	d, err := Kind().New([]byte(config), mesh.Env{ID: "t1"})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*threshold)
}

// alarms plays values of one key, "tick" for a tick and "-" for a second without either, and gives what was emitted:
// the second, + for raised or - for cleared, and the side.
func alarms(t *testing.T, config, values string) string {
	t.Helper()
	d, got := start(t, config), []string(nil)
	for second, value := range strings.Fields(values) {
		ev := mesh.Event{Source: "a", Time: int64(second) * int64(time.Second), Payload: []byte(value)}
		switch value {
		case "-":
			continue
		case "tick":
			ev.Trigger = mesh.Tick
		}
		var out mesh.Outputs
		if err := d.Process(&ev, &out); err != nil {
			t.Fatal(err)
		}
		for i := range out.Len() {
			what := "-"
			if strings.Contains(string(out.Payload(i)), `"raised"`) {
				what = "+"
			}
			side := "above"
			if strings.Contains(string(out.Payload(i)), `"below"`) {
				side = "below"
			}
			got = append(got, fmt.Sprint(second, what, side))
		}
	}
	return strings.Join(got, " ")
}

func TestAlarms(t *testing.T) {
	for name, c := range map[string]struct{ config, values, want string }{
		"raised above, cleared at the limit": {`{"above":80}`, "80 81 82 80 79", "1+above 3-above"},
		"raised below, cleared at the limit": {`{"below":10}`, "10 9 8 10 11", "1+below 3-below"},
		"hysteresis keeps the alarm":         {`{"above":80,"hysteresis":5}`, "81 79 76 75 81", "0+above 3-above 4+above"},
		"from one side to the other":         {`{"above":80,"below":10}`, "90 5 90", "0+above 1-above 1+below 2-below 2+above"},
		"a short peak is no alarm":           {`{"above":80,"hold":"3s"}`, "90 90 90 50 90 90 90", ""},
		"a long one is":                      {`{"above":80,"hold":"3s"}`, "90 - - 90", "3+above"},
		"a tick lets the hold pass":          {`{"above":80,"hold":"3s"}`, "90 tick tick tick tick", "3+above"},
		"a tick before any value":            {`{"below":80}`, "tick tick", ""},
		"a short dip does not clear":         {`{"above":80,"release":"2s"}`, "90 50 90 50 90", "0+above"},
		"a long one does":                    {`{"above":80,"release":"2s"}`, "90 50 - 50", "0+above 3-above"},
		"the other side holds for itself":    {`{"above":80,"below":10,"hold":"2s"}`, "90 - 90 5 - 5", "2+above 3-above 5+below"},
		"another side begins to hold anew":   {`{"above":80,"below":10,"hold":"2s"}`, "90 - 5 - 5", "4+below"},
		"zero is a limit":                    {`{"below":0}`, "0 -0.5", "1+below"},
	} {
		if got := alarms(t, c.config, c.values); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestAlarmOnTheWire(t *testing.T) {
	d, got := start(t, `{"above":80,"hysteresis":5,"value":"/t","key":"/device"}`), []string(nil)
	for _, payload := range []string{`{"device":"p","t":81.5}`, `{"device":"q","t":1}`, `{"device":"p","t":70}`} {
		var out mesh.Outputs
		if err := d.Process(&mesh.Event{Payload: []byte(payload)}, &out); err != nil {
			t.Fatal(err)
		}
		for i := range out.Len() {
			got = append(got, string(out.Payload(i)))
		}
	}
	want := []string{
		`{"alarm":"raised","side":"above","key":"p","value":81.5,"limit":80}`,
		`{"alarm":"cleared","side":"above","key":"p","value":70,"limit":80}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestConfigIsRefused(t *testing.T) {
	for config, want := range map[string]string{
		``:                                     "config: above: is missing: give above, below or both",
		`{"above":1,"below":1}`:                "config: below: must be less than above",
		`{"above":1,"hysteresis":-1}`:          "config: hysteresis: must not be negative",
		`{"above":2,"below":1,"hysteresis":1}`: "config: hysteresis: must be less than the range between below and above",
		`{"abov":1}`: "config: abov: unknown setting: did you mean above?; " +
			"above: is missing: give above, below or both",
		`{"above":1,"hold":"8d"}`:  `config: hold: must be a duration such as "1m30s", not "8d"`,
		`{"above":1,"hold":"-1s"}`: "config: hold: must be from 0s to 168h0m0s, not -1s",
		`{"above":1,"key":"k"}`:    `config: key: pointer "k": must begin with /`,
	} {
		if _, err := Kind().New([]byte(config), mesh.Env{}); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", config, err, want)
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(`{"value":81}`), []byte("5"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := start(t, `{"above":80,"below":10,"hysteresis":3}`)
		raised := 0
		for i, payload := range [][]byte{first, second, first} {
			var out mesh.Outputs
			if d.Process(&mesh.Event{Payload: payload, Time: int64(i)}, &out) != nil && out.Len() > 0 {
				t.Errorf("%q: an error and %d outputs", payload, out.Len())
			}
			for i := range out.Len() {
				if strings.Contains(string(out.Payload(i)), `"raised"`) {
					raised++
				} else {
					raised--
				}
			}
			if raised < 0 || raised > 1 {
				t.Fatalf("%q, %q: %d alarms at once", first, second, raised)
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	d := start(f, `{"above":80,"hold":"3s"}`)
	var out mesh.Outputs
	if err := d.Process(&mesh.Event{Source: "a", Time: 5, Payload: []byte("81")}, &out); err != nil {
		f.Fatal(err)
	}
	state, err := d.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		d := start(t, `{"above":80}`)
		if d.Restore(state) != nil {
			return
		}
		if again, err := d.Snapshot(); err != nil || string(again) != string(state) {
			t.Errorf("%x came back as %x, %v", state, again, err)
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	d, out := start(b, `{"above":80,"key":"/sensor"}`), mesh.Outputs{}
	ev := mesh.Event{Payload: []byte(`{"sensor":"hwmon0/temp1","value":41.25,"unit":"C","kind":"temperature"}`)}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := d.Process(&ev, &out); err != nil {
			b.Fatal(err)
		}
	}
}
