package capability_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/capability"
	"pgregory.net/rapid"
)

func mustSet(t testing.TB, texts ...string) capability.Set {
	t.Helper()
	set, err := capability.ParseSet(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

var anyTag = rapid.Custom(func(t *rapid.T) string {
	text := rapid.SampledFrom([]string{"hardware.", "software.", "devices.", "scope:"}).Draw(t, "axis")
	text += rapid.StringMatching(`[a-c](\.[0-2])?`).Draw(t, "key")
	return text + rapid.SampledFrom([]string{"", "=1", "=2.5", "=x"}).Draw(t, "value")
})

func TestSetIsTheSameAsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left, right := rapid.SliceOf(anyTag).Draw(t, "left"), rapid.SliceOf(anyTag).Draw(t, "right")
		a, errA := capability.ParseSet(left...)
		b, errB := capability.ParseSet(right...)
		union, errU := a.Union(b)
		if errA != nil || errB != nil || errU != nil {
			t.Fatal(errA, errB, errU)
		}
		inA, inB, all := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, text := range left {
			inA[text], all[text] = true, true
		}
		for _, text := range right {
			inB[text], all[text] = true, true
		}
		if got := texts(union.Tags()); !slices.Equal(got, sortedTags(all)) {
			t.Fatalf("union %v, want %v", got, sortedTags(all))
		}
		maps.DeleteFunc(inA, func(text string, _ bool) bool { return inB[text] })
		if got := texts(a.Minus(b)); !slices.Equal(got, sortedTags(inA)) {
			t.Fatalf("difference %v, want %v", got, sortedTags(inA))
		}
		if same := a.Equal(b); same != (a.Digest() == b.Digest()) || same != (len(a.Minus(b))+len(b.Minus(a)) == 0) {
			t.Fatalf("%v and %v: equal is %v", left, right, same)
		}
	})
}

func texts(tags []capability.Tag) []string {
	all := make([]string, len(tags))
	for i, tag := range tags {
		all[i] = tag.String()
	}
	return all
}

// sortedTags sorts as a set does: by key, then by value.
func sortedTags(all map[string]bool) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		keyA, valueA, _ := strings.Cut(a, "=")
		keyB, valueB, _ := strings.Cut(b, "=")
		return slices.Compare([]string{keyA, valueA}, []string{keyB, valueB})
	})
}

func TestSetFindsValues(t *testing.T) {
	set := mustSet(t, "hardware.memory_mb=2048", "devices.port=3", "devices.port=12", "devices.port=usb", "hardware.gpu")
	if n, ok := set.Int("hardware.memory_mb"); n != 2048 || !ok {
		t.Errorf("memory: %d %v", n, ok)
	}
	if n, ok := set.Int("devices.port"); n != 12 || !ok {
		t.Errorf("the greatest port: %d %v", n, ok)
	}
	if _, ok := set.Int("hardware.gpu"); ok {
		t.Error("a tag without a value has a number")
	}
	if _, ok := set.Text("hardware.gpu"); ok || !set.HasKey("hardware.gpu") {
		t.Error("a tag without a value has a text, or is not there")
	}
	if set.HasKey("hardware.mem") || set.HasKey("hardware") {
		t.Error("a part of a key is taken for a key")
	}
}

func TestSetIsBounded(t *testing.T) {
	many := make([]string, capability.MaxTags)
	for i := range many {
		many[i] = fmt.Sprintf("devices.port=%d", i)
	}
	full := mustSet(t, many...)
	if _, err := full.With(mustSet(t, "hardware.gpu").Tags()...); err == nil {
		t.Error("one tag too many is let in")
	}
	if _, err := full.Union(full); err != nil {
		t.Errorf("the same tags again: %v", err)
	}
	long := map[string]string{"note": strings.Repeat("x", capability.MaxMetadataBytes)}
	if _, err := full.WithMetadata(long); err == nil {
		t.Error("too much metadata is let in")
	}
}

func TestSetNeverChanges(t *testing.T) {
	metadata := map[string]string{"room": "12"}
	set, err := mustSet(t, "hardware.gpu", "software.os=linux").WithMetadata(metadata)
	if err != nil {
		t.Fatal(err)
	}
	before := set.Digest()
	metadata["room"] = "13"
	set.Metadata()["room"] = "14"
	set.Tags()[0] = capability.Tag{}
	if set.Digest() != before {
		t.Error("a copy reaches into the set")
	}
}

func TestSetGoesThroughJSON(t *testing.T) {
	set, err := mustSet(t, "software.os:linux", "hardware.gpu").WithMetadata(map[string]string{"room": "12 <b>"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"tags":["hardware.gpu","software.os=linux"],"metadata":{"room":"12 \u003cb\u003e"}}`
	if string(text) != want {
		t.Errorf("got %s", text)
	}
	var again capability.Set
	if err := json.Unmarshal(text, &again); err != nil || !again.Equal(set) {
		t.Errorf("read back as %v: %v", again, err)
	}
}

func TestSetSaysWhatItLacks(t *testing.T) {
	have, err := mustSet(t, "hardware.gpu", "software.os=linux").WithMetadata(map[string]string{"owner": "plant"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := mustSet(t, "hardware.gpu", "software.os=qnx", "hardware.tpu").WithMetadata(
		map[string]string{"owner": "office", "room": "12"})
	if err != nil {
		t.Fatal(err)
	}
	if unmet := have.Unmet(have); unmet != nil {
		t.Errorf("a set lacks something of itself: %v", unmet)
	}
	var got []string
	for _, u := range have.Unmet(want) {
		got = append(got, u.String())
	}
	expected := []string{
		"needs hardware.tpu, but nothing is known: a node with hardware.tpu",
		"needs software.os=qnx, but it has linux: a node with software.os=qnx",
		"needs metadata owner=office, but it has plant: a node with metadata owner=office",
		"needs metadata room=12, but nothing is known: a node with metadata room=12",
	}
	if !slices.Equal(got, expected) {
		t.Errorf("got %q", got)
	}
}

func FuzzSetJSON(f *testing.F) {
	f.Add([]byte(`{"tags":["hardware.gpu","software.os=linux"],"metadata":{"room":"12"}}`))
	f.Add([]byte(`{"tags":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var set, again capability.Set
		if json.Unmarshal(text, &set) != nil {
			return
		}
		canonical, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(canonical, &again); err != nil || !again.Equal(set) {
			t.Fatalf("%s: %v", canonical, err)
		}
	})
}
