package counter

import (
	"slices"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mesh/meshtest"
)

func TestContract(t *testing.T) {
	t.Run("together", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{
			Kind: Kind(), Config: `{"every":2}`, Events: meshtest.Messages("a", "1", "x", "", "{}", "5", "6"),
		})
	})
	t.Run("apart", func(t *testing.T) {
		meshtest.Run(t, meshtest.Case{
			Kind: Kind(), Config: `{"per":"source","key":"/device","keys":2}`,
			Events: meshtest.Messages("a", `{"device":"p"}`, `{"device":"q"}`, `{"device":"p"}`, `{"device":"r"}`, "1"),
		})
	})
}

func start(t testing.TB, config string) mesh.Daemon {
	t.Helper()
	d, err := Kind().New([]byte(config), mesh.Env{ID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCounts(t *testing.T) {
	tick := mesh.Event{Trigger: mesh.Tick}
	message := func(source, payload string) mesh.Event { return mesh.Event{Source: source, Payload: []byte(payload)} }
	for name, c := range map[string]struct {
		config string
		events []mesh.Event
		want   []string
	}{
		"every event": {
			"", []mesh.Event{message("a", ""), message("b", "")}, []string{`{"count":1}`, `{"count":2}`},
		},
		"every third": {
			`{"every":3}`, slices.Repeat([]mesh.Event{message("a", "")}, 7), []string{`{"count":3}`, `{"count":6}`},
		},
		"apart by source": {
			`{"per":"source"}`, []mesh.Event{message("a", ""), message("b", ""), message("a", "")},
			[]string{`{"key":"a","count":1}`, `{"key":"b","count":1}`, `{"key":"a","count":2}`},
		},
		"apart by a field": {
			`{"per":"source","key":"/id"}`, []mesh.Event{message("a", `{"id":7}`), message("a", `{"id":"x\"y"}`)},
			[]string{`{"key":"7","count":1}`, `{"key":"x\"y","count":1}`},
		},
		"a tick tells and does not count": {
			`{"every":100,"per":"source"}`, []mesh.Event{message("b", ""), message("a", ""), message("b", ""), tick},
			[]string{`{"key":"b","count":2}`, `{"key":"a","count":1}`},
		},
		"results are no events": {"", []mesh.Event{{Trigger: mesh.Result}}, nil},
	} {
		d, got := start(t, c.config), []string(nil)
		for _, ev := range c.events {
			var out mesh.Outputs
			if err := d.Process(&ev, &out); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for i := range out.Len() {
				got = append(got, string(out.Payload(i)))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestKeysBeyondTheLimitAreRefusedAndTold(t *testing.T) {
	d := start(t, `{"per":"source","keys":1}`).(*counter)
	var out mesh.Outputs
	if err := d.Process(&mesh.Event{Source: "a"}, &out); err != nil || d.Health().Level != mesh.Healthy {
		t.Fatalf("first key: %v, %+v", err, d.Health())
	}
	err := d.Process(&mesh.Event{Source: "b"}, &out)
	if err == nil || !strings.Contains(err.Error(), `key "b" beyond the 1 that are kept`) {
		t.Errorf("second key: %v", err)
	}
	if h := d.Health(); h.Level != mesh.Degraded || d.Saturation() != 1 {
		t.Errorf("health %+v, saturation %v", h, d.Saturation())
	}
}

func TestConfigIsRefused(t *testing.T) {
	for config, want := range map[string]string{
		`{"every":0}`:      "config: every: must be from 1 to 9007199254740992, not 0",
		`{"per":"device"}`: `config: per: must be all or source, not "device"`,
		`{"key":"/a"}`:     `config: key: needs per to be "source"`,
		`{"keys":1025,"evry":1}`: "config: evry: unknown setting: did you mean every?; " +
			"keys: must be from 1 to 1024, not 1025",
		`{"per":"source","key":"id"}`: `config: key: pointer "id": must begin with /`,
	} {
		if _, err := Kind().New([]byte(config), mesh.Env{}); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", config, err, want)
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(`{"device":"p"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var out mesh.Outputs
		if err := start(t, `{"per":"source","key":"/device"}`).Process(&mesh.Event{Payload: payload}, &out); err == nil {
			if out.Len() != 1 || out.Err() != nil {
				t.Errorf("%d outputs, %v", out.Len(), out.Err())
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte{1, 1, 1, 'a', 5})
	f.Fuzz(func(t *testing.T, state []byte) {
		d := start(t, "").(*counter)
		if d.Restore(state) != nil {
			return
		}
		if again, err := d.Snapshot(); err != nil || string(again) != string(state) {
			t.Errorf("%x came back as %x, %v", state, again, err)
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	d, out := start(b, `{"per":"source","key":"/device"}`), mesh.Outputs{}
	ev := mesh.Event{Payload: []byte(`{"device":"press-1","value":21.5}`)}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := d.Process(&ev, &out); err != nil {
			b.Fatal(err)
		}
	}
}
