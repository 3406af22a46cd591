package mesh

import (
	"errors"
	"strings"
	"testing"
)

func measure(t testing.TB, value, key string) *Measure {
	t.Helper()
	v, err := ParsePointer(value)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParsePointer(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Measure{Value: v, Key: k}
}

func TestMeasureReads(t *testing.T) {
	for payload, want := range map[string]struct {
		key   string
		value float64
	}{
		`21.5`:                               {"press-1", 21.5},
		` -3 `:                               {"press-1", -3},
		`{"value":4}`:                        {"press-1", 4},
		`{"value":4,"name":"a"}`:             {"a", 4},
		`{"value":4,"name":"a\"b\u00e9"}`:    {`a"bé`, 4},
		`{"name":"é","other":[1],"value":0}`: {"é", 0},
		`{"value":4,"name":17}`:              {"17", 4},
	} {
		m := measure(t, "/value", "")
		if strings.Contains(payload, "name") {
			m = measure(t, "/value", "/name")
		}
		key, value, err := m.Read(&Event{Source: "press-1", Payload: []byte(payload)})
		if err != nil || string(key) != want.key || value != want.value {
			t.Errorf("%s: %q %v %v", payload, key, value, err)
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	m := measure(t, "/value", "/name")
	for payload, want := range map[string]string{
		``:                          `no value at "/value" in a payload of 0 bytes`,
		`21 C`:                      `no value at "/value" in a payload of 4 bytes`,
		`hot`:                       `no value at "/value" in a payload of 3 bytes`,
		`{"t":1}`:                   `no value at "/value"`,
		`{"value":"1"}`:             `value at "/value" is no number: "1"`,
		`{"value":1e999}`:           `value at "/value" is no number: 1e999`,
		`{"value":1}`:               `no key at "/name"`,
		`{"value":1,"name":null}`:   `key at "/name" is neither text nor number: null`,
		`{"value":1,"name":"\ud8"}`: `key at "/name" is neither text nor number`,
		`"21"`:                      `no value at "/value"`,
	} {
		if _, _, err := m.Read(&Event{Payload: []byte(payload)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", payload, err, want)
		}
	}
}

func TestSourceOf(t *testing.T) {
	ev := Event{Topic: "a/b"}
	if SourceOf(&ev) != "a/b" {
		t.Error("topic")
	}
	ev.Daemon = "pump"
	if SourceOf(&ev) != "pump" {
		t.Error("daemon")
	}
	ev.Source = "s"
	if SourceOf(&ev) != "s" {
		t.Error("source")
	}
}

func TestKeyedKeepsOrderAndLimit(t *testing.T) {
	k := NewKeyed[uint64](3)
	for i, key := range []string{"c", "a", "c", "b", "a"} {
		value, err := k.At([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		*value += uint64(i)
	}
	if _, err := k.At([]byte("d")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a fourth key: %v", err)
	}
	if _, err := k.At(make([]byte, MaxKey+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a long key: %v", err)
	}
	record := k.Append([]byte{1}, func(b []byte, n *uint64) []byte { return AppendUint(b, *n) })
	again := NewKeyed[uint64](3)
	d := Decode(record, 1)
	again.Decode(&d, 1, func(d *Decoder, n *uint64) { *n = d.Uint() })
	if err := d.End("keys"); err != nil {
		t.Fatal(err)
	}
	text := ""
	for key, value := range again.All() {
		text += key + string(rune('0'+*value))
	}
	if text != "c2a5b3" || again.Saturation() != 1 {
		t.Errorf("order %q, saturation %v", text, again.Saturation())
	}
}

func TestKeyedRefusesAForeignRecord(t *testing.T) {
	for name, c := range map[string]struct {
		record []byte
		want   string
	}{
		"a key twice":       {[]byte{1, 2, 1, 'a', 0, 1, 'a', 0}, `key "a" twice`},
		"too many keys":     {[]byte{1, 3, 1, 'a', 0, 1, 'b', 0, 1, 'c', 0}, "beyond the 2 that are kept"},
		"more than follows": {[]byte{1, 9, 1, 'a', 0}, "9 elements announced"},
		"cut short":         {[]byte{1, 1, 1, 'a'}, "cut short"},
	} {
		k := NewKeyed[uint64](2)
		d := Decode(c.record, 1)
		k.Decode(&d, 1, func(d *Decoder, n *uint64) { *n = d.Uint() })
		if err := d.End("keys"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func BenchmarkMeasureRead(b *testing.B) {
	m := measure(b, "/value", "/sensor")
	ev := Event{Payload: []byte(`{"sensor":"hwmon0/temp1","value":41.25,"unit":"C","kind":"temperature"}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := m.Read(&ev); err != nil {
			b.Fatal(err)
		}
	}
}
