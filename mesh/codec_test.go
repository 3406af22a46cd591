package mesh

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sampleLink = Link{Origin: 0xa7293c586726c4b6, Horizon: 0x40002c8000862, Sequence: 41, Parent: 0x96e19dc211d7e1f}

var sampleEvent = Event{
	Trigger: Result, Link: sampleLink, Daemon: "pump", Epoch: 3, Incarnation: 2, Source: "press-1", ID: NumberID(1 << 40),
	Topic: "plant/1/t", Time: math.MinInt64, Wall: math.MaxInt64, Missed: 7, Failed: "no", Payload: []byte("21.5"),
}

var sampleTasks = []Task{{Step: 9, Index: math.MaxUint16, Bytes: []byte("work")}, {Step: 10}}

// record is one codec seen through its bytes: encode gives a sample, again decodes and encodes once more.
type record struct {
	samples [][]byte
	again   func([]byte) ([]byte, error)
}

func records() map[string]record {
	return map[string]record{
		"step": {
			samples: [][]byte{
				AppendStep(nil, &Step{}),
				AppendStep(nil, &Step{
					Position: 12, Daemon: "ewma", Epoch: 1, Incarnation: 5, Event: sampleEvent, At: 11, Given: 10, Emitted: 2,
					Failed: true, Tasks: sampleTasks, Head: Head{Link: sampleLink, Next: 99, Epoch: 1, Incarnation: 5},
				}),
				AppendStep(nil, &Step{
					Daemon: "ewma", Poison: true, Event: Event{Source: "s", ID: TextID("")},
					Control: Control{Signal: BackpressureOn, Grace: -time.Second, Level: 0.25},
				}),
			},
			again: func(b []byte) ([]byte, error) {
				s, err := ParseStep(b)
				return AppendStep(nil, &s), err
			},
		},
		"output": {
			samples: [][]byte{
				AppendOut(nil, &Out{}),
				AppendOut(nil, &Out{
					Position: math.MaxUint64, Daemon: "ewma", Epoch: 2, Incarnation: 1, Link: sampleLink, Payload: []byte("x"),
					Sends: []Send{{Topic: "a/b", QoS: 1, Retained: true, Format: CloudEvents}, {}},
				}),
			},
			again: func(b []byte) ([]byte, error) {
				o, err := ParseOut(b)
				return AppendOut(nil, &o), err
			},
		},
		"given input": {
			samples: [][]byte{
				AppendGiven(nil, &Given{}),
				AppendGiven(nil, &Given{Position: 3, Daemon: "ewma", Attempt: math.MaxUint32, Event: sampleEvent, At: 2}),
			},
			again: func(b []byte) ([]byte, error) {
				g, err := ParseGiven(b)
				return AppendGiven(nil, &g), err
			},
		},
		"snapshot": {
			samples: [][]byte{
				AppendSnapshot(nil, &Snapshot{}),
				AppendSnapshot(nil, &Snapshot{
					Daemon: "ewma", Kind: "ewma", Schema: 1, Position: 12, Head: Head{Link: sampleLink, Next: 1},
					Observed: []Origin{1, math.MaxUint64}, Retained: map[string]uint64{"a": 1, "b": 2},
					Accepted: map[Origin]uint64{7: 70, 8: 80}, Tasks: sampleTasks, Time: 5, Stateful: true, State: []byte{0},
					Windows: []Window{
						{Source: "s", Low: 5, Runs: []Run{{First: 5, Last: 5}, {First: 7, Last: math.MaxUint64}}, Past: 4, Recent: 6},
						{Daemon: "d", Epoch: 1, Incarnation: 2, Texts: []SeenText{{Hash: [2]uint64{1, 2}, Time: -3}}, Rotated: 9},
					},
				}),
			},
			again: func(b []byte) ([]byte, error) {
				s, err := ParseSnapshot(b)
				return AppendSnapshot(nil, &s), err
			},
		},
	}
}

func TestRecordsComeBackTheSame(t *testing.T) {
	for name, r := range records() {
		for _, sample := range r.samples {
			if got, err := r.again(sample); err != nil || !bytes.Equal(got, sample) {
				t.Errorf("%s: %v\n got %x\nwant %x", name, err, got, sample)
			}
		}
	}
}

func TestParsedStepHoldsEveryField(t *testing.T) {
	want := Step{
		Position: 12, Daemon: "ewma", Epoch: 1, Incarnation: 5, Event: sampleEvent, At: 11, Given: 10, Emitted: 2,
		Control: Control{Signal: Shutdown, Grace: time.Minute, Level: 1}, Failed: true, Poison: true, Tasks: sampleTasks,
		Head: Head{Link: sampleLink, Next: 99, Epoch: 1, Incarnation: 5},
	}
	got, err := ParseStep(AppendStep(nil, &want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ID{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsRefuseWhatIsNotWhole(t *testing.T) {
	for name, r := range records() {
		for _, sample := range r.samples {
			for n := range sample {
				if _, err := r.again(sample[:n]); err == nil {
					t.Errorf("%s of %d bytes accepted when cut to %d", name, len(sample), n)
				}
			}
			if _, err := r.again(append(slices.Clone(sample), 0)); err == nil {
				t.Errorf("%s with a byte too many accepted", name)
			}
			newer := slices.Clone(sample)
			newer[0] = 2
			if _, err := r.again(newer); err == nil || !strings.Contains(err.Error(), name+": version 2") {
				t.Errorf("%s of a newer version: %v", name, err)
			}
		}
	}
}

func TestParseAllocatesNoMoreThanTheBytesCanFill(t *testing.T) {
	hostile := AppendSnapshot(nil, &Snapshot{})
	at := len(hostile) - 7 // the count of observed origins
	hostile = append(hostile[:at], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 100
	for range times {
		if _, err := ParseSnapshot(hostile); err == nil {
			t.Fatal("accepted")
		}
	}
	runtime.ReadMemStats(&after)
	if allocated := (after.TotalAlloc - before.TotalAlloc) / times; allocated > 4096 {
		t.Errorf("%d bytes allocated for a record of %d", allocated, len(hostile))
	}
}

func TestParsedBytesAreCopies(t *testing.T) {
	raw := AppendGiven(nil, &Given{Event: Event{Payload: []byte("kept")}})
	g, err := ParseGiven(raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if string(g.Event.Payload) != "kept" {
		t.Errorf("payload became %q", g.Event.Payload)
	}
}

func TestSnapshotOfAnotherKindOrSchemaIsRefused(t *testing.T) {
	s := Snapshot{Daemon: "d1", Kind: "ewma", Schema: 2}
	if err := s.Check("ewma", 2); err != nil {
		t.Error(err)
	}
	for _, other := range []struct {
		kind   string
		schema uint32
		text   string
	}{
		{"counter", 2, "daemon d1: restore failed: snapshot of kind ewma, schema 2: want kind counter, schema 2"},
		{"ewma", 1, "daemon d1: restore failed: snapshot of kind ewma, schema 2: want kind ewma, schema 1"},
	} {
		if err := s.Check(other.kind, other.schema); err == nil || err.Error() != other.text {
			t.Errorf("got %v, want %s", err, other.text)
		}
	}
}

func fuzzRecord(f *testing.F, name string) {
	r := records()[name]
	for _, sample := range r.samples {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := r.again(b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}

func FuzzStep(f *testing.F)     { fuzzRecord(f, "step") }
func FuzzOut(f *testing.F)      { fuzzRecord(f, "output") }
func FuzzGiven(f *testing.F)    { fuzzRecord(f, "given input") }
func FuzzSnapshot(f *testing.F) { fuzzRecord(f, "snapshot") }

func BenchmarkAppendStep(b *testing.B) {
	s := Step{
		Position: 1 << 20, Daemon: "threshold-1", Epoch: 1, Event: sampleEvent, Emitted: 1, Head: Head{Link: sampleLink},
	}
	s.Event.Payload = make([]byte, 256)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendStep(buf[:0], &s)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParseStep(b *testing.B) {
	s := Step{Position: 1 << 20, Daemon: "threshold-1", Epoch: 1, Event: sampleEvent, Head: Head{Link: sampleLink}}
	raw := AppendStep(nil, &s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseStep(raw); err != nil {
			b.Fatal(err)
		}
	}
}
