package mesh

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var sampleSettings = []Setting{
	{Name: "above", Type: TypeNumber, Default: "2.5"},
	{Name: "every", Type: TypeCount, Default: "10"},
	{Name: "hold", Type: TypeDuration, Default: "30s"},
	{Name: "field", Type: TypeText, Default: "/value"},
	{Name: "match", Type: TypeTexts, Default: "a,b"},
	{Name: "quiet", Type: TypeBool, Default: "true"},
	{Name: "note", Type: TypeText},
}

type sampleConfig struct {
	Above float64
	Every uint64
	Hold  time.Duration
	Field string
	Match []string
	Quiet bool
	Note  string
}

func readSample(config string) (sampleConfig, error) {
	s := ReadSettings([]byte(config), sampleSettings)
	c := sampleConfig{
		Above: s.Number("above"), Every: s.Count("every", 1, 100), Hold: s.Duration("hold", 0, time.Hour),
		Field: s.Pointer("field").String(), Match: s.Texts("match"), Quiet: s.Bool("quiet"), Note: s.Text("note"),
	}
	return c, s.Err()
}

func TestSettingsAreReadWithDefaults(t *testing.T) {
	fallback := sampleConfig{2.5, 10, 30 * time.Second, "/value", []string{"a", "b"}, true, ""}
	for config, want := range map[string]sampleConfig{
		"":               fallback,
		"{}":             fallback,
		`null`:           fallback,
		`{"above":null}`: fallback,
		`{"above":-1e3,"every":100,"hold":"1m30s","field":"","match":[],"quiet":false,"note":"x"}`: {
			-1000, 100, 90 * time.Second, "", []string{}, false, "x",
		},
	} {
		got, err := readSample(config)
		if err != nil {
			t.Errorf("%s: %v", config, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", config, diff)
		}
	}
}

func TestSettingsNameEveryMistake(t *testing.T) {
	for config, want := range map[string][]string{
		`[1]`: {
			"must be a JSON object: json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
		},
		`{"abov":1}`:    {"abov: unknown setting: did you mean above?"},
		`{"Above":1}`:   {"Above: unknown setting: did you mean above?"},
		`{"x y":1}`:     {"x y: unknown setting: known are above, every, hold, field, match, quiet, note"},
		`{"\u0000":1}`:  {`"\x00": unknown setting: known are above, every, hold, field, match, quiet, note`},
		`{"every":0}`:   {"every: must be from 1 to 100, not 0"},
		`{"every":1.5}`: {"every: must be a whole number, not 1.5"},
		`{"every":-1}`:  {"every: must be a whole number, not -1"},
		`{"above":"1","every":"2","hold":3,"field":"x","match":"a","quiet":1,"note":[],"hol":1}`: {
			"hol: unknown setting: did you mean hold?",
			`above: must be a number, not "1"`,
			`every: must be a whole number, not "2"`,
			`hold: must be a duration such as "1m30s", not 3`,
			`field: pointer "x": must begin with /`,
			`match: must be a list of texts, not "a"`,
			`quiet: must be true or false, not 1`,
			`note: must be a text, not []`,
		},
		`{"hold":"soon"}`:                {`hold: must be a duration such as "1m30s", not "soon"`},
		`{"hold":"2h"}`:                  {"hold: must be from 0s to 1h0m0s, not 2h0m0s"},
		strings.Repeat(" ", MaxConfig+1): {"65537 bytes, above 65536"},
	} {
		_, err := readSample(config)
		var mistakes *SettingsError
		if !errors.As(err, &mistakes) {
			t.Errorf("%.80s: %v", config, err)
			continue
		}
		if !slices.Equal(mistakes.Problems, want) {
			t.Errorf("%.80s:\n%s", config, cmp.Diff(want, mistakes.Problems))
		}
	}
}

func TestSettingsErrorIsBounded(t *testing.T) {
	config := `{"` + strings.Repeat("y", 5000) + `":1`
	for i := range 100 {
		config += `,"` + strings.Repeat("x", i+1) + `":1`
	}
	_, err := readSample(config + "}")
	if err == nil || len(err.Error()) > 4000 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

func FuzzSettings(f *testing.F) {
	f.Add(`{"above":1,"every":2,"hold":"3s","match":["a"]}`)
	f.Add(`{"abov":1e999}`)
	f.Fuzz(func(t *testing.T, config string) {
		c, err := readSample(config)
		if err == nil && (c.Every < 1 || c.Every > 100 || c.Hold < 0 || c.Hold > time.Hour) {
			t.Errorf("%q: accepted as %+v", config, c)
		}
	})
}
