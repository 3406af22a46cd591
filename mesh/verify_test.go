package mesh

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// told is a chain of n events as its daemon sends them.
func told(chain *Chain, id DaemonID, n int) []Frame {
	frames := make([]Frame, n)
	for i := range frames {
		payload := fmt.Appendf(nil, "event %d", chain.Head().Link.Sequence+1)
		frames[i] = Frame{
			Daemon: id, Epoch: chain.Head().Epoch, Incarnation: chain.Head().Incarnation,
			Link: chain.Append(payload, 5), Payload: payload,
		}
	}
	return frames
}

// successor is the chain of the next owner, which goes on from an event of the last one.
func successor(chain *Chain, last Frame, epoch uint64) *Chain {
	return ResumeChain(Head{Link: last.Link, Next: chain.hasher.next(last.Link, last.Payload), Epoch: epoch})
}

func verified(frames ...Frame) ChainReport {
	v := NewVerifier("")
	for i := range frames {
		v.Add(&frames[i])
	}
	return v.Reports()[0]
}

// findings as text: kind epoch.incarnation from-to.
func findings(r ChainReport) string {
	var texts []string
	for _, f := range r.Findings {
		texts = append(texts, fmt.Sprintf("%s %d.%d %d-%d", f.Kind, f.Epoch, f.Incarnation, f.From, f.To))
	}
	return strings.Join(texts, ", ")
}

func TestVerifier(t *testing.T) {
	const origin = 7
	chain := NewChain(origin, 1, 0)
	all := told(chain, "pump", 10)
	changed := func(i int, change func(*Frame)) []Frame {
		frames := slices.Clone(all)
		change(&frames[i])
		return frames
	}
	without := func(from, to int) []Frame { return slices.Concat(all[:from], all[to:]) }
	next := told(ResumeChain(withEpoch(chain.Head(), 2)), "pump", 5)
	failover := told(successor(chain, all[5], 2), "pump", 4)
	volatile := told(NewChain(origin, 1, 1), "pump", 3)
	volatileAgain := told(NewChain(origin, 1, 2), "pump", 3)

	for name, c := range map[string]struct {
		frames   []Frame
		good     bool
		events   uint64
		repeats  uint64
		findings string
	}{
		"a whole chain":             {all, true, 10, 0, ""},
		"repeats after a reconnect": {slices.Concat(all, all[4:]), true, 10, 6, ""},
		"the end of a chain":        {all[4:], true, 6, 0, ""},
		"backwards":                 {reversed(all), true, 10, 0, ""},
		"one that comes late":       {slices.Concat(without(3, 4), all[3:4]), true, 10, 0, ""},
		"one that is missing":       {without(3, 4), false, 9, 0, "missing 1.0 4-4"},
		"many that are missing":     {without(2, 8), false, 4, 0, "missing 1.0 3-8"},
		"a changed payload": {
			changed(3, func(f *Frame) { f.Payload = []byte("other") }),
			false, 10, 0, "wrong parent 1.0 5-5",
		},
		"a changed parent": {
			changed(3, func(f *Frame) { f.Link.Parent++ }),
			false, 10, 0, "wrong parent 1.0 4-4, wrong parent 1.0 5-5",
		},
		"a changed horizon": {
			changed(3, func(f *Frame) { f.Link.Horizon++ }),
			false, 10, 0, "wrong parent 1.0 5-5",
		},
		"another origin": {
			changed(3, func(f *Frame) { f.Link.Origin++ }),
			false, 9, 0, "wrong origin 1.0 4-4, missing 1.0 4-4",
		},
		"another genesis": {
			changed(0, func(f *Frame) { f.Link.Parent++ }),
			false, 10, 0, "wrong parent 1.0 1-1, wrong parent 1.0 2-2",
		},
		"the genesis itself": {
			changed(3, func(f *Frame) { f.Link.Sequence = 0 }),
			false, 9, 0, "invalid 1.0 0-0, missing 1.0 4-4",
		},
		"two events of one identity": {
			append(slices.Clone(all), changed(3, func(f *Frame) { f.Payload = nil })[3]),
			false, 10, 0, "conflict 1.0 4-4",
		},
		"a planned move":              {slices.Concat(all, next), true, 15, 0, ""},
		"a planned move, seen late":   {slices.Concat(next, all), true, 15, 0, ""},
		"a repeat from before a move": {slices.Concat(all, next, all[8:]), true, 15, 2, ""},
		"a failover":                  {slices.Concat(all[:8], failover), true, 12, 0, "orphaned 1.0 7-8"},
		"orphans that come afterwards": {
			slices.Concat(all[:8], failover, all[8:]),
			true, 12, 0, "orphaned 1.0 7-10",
		},
		"orphans twice": {
			slices.Concat(all[:8], failover, all[6:8]),
			true, 12, 2, "orphaned 1.0 7-8",
		},
		"orphans only afterwards": {
			slices.Concat(all[:6], failover, all[6:8]),
			true, 10, 0, "orphaned 1.0 7-8",
		},
		"missing before a failover": {slices.Concat(all[:4], failover), false, 8, 0, "missing 2.0 5-6"},
		"missing and orphaned": {
			slices.Concat(all[:5], all[9:], failover),
			false, 10, 0, "orphaned 1.0 7-10, missing 2.0 6-6",
		},
		"new chains of a volatile daemon": {slices.Concat(volatile, volatileAgain), true, 6, 0, "new chain 1.2 1-1"},
		"a frame of an old chain": {
			slices.Concat(volatile, volatileAgain, volatile[2:]),
			true, 6, 1, "new chain 1.2 1-1, old chain 1.1 3-3",
		},
		"missing at the end of a chain": {
			slices.Concat(volatile[:1], volatile[2:], volatileAgain),
			false, 5, 0, "new chain 1.2 1-1, missing 1.1 2-2",
		},
	} {
		r := verified(c.frames...)
		if r.Good() != c.good || r.Events != c.events || r.Repeats != c.repeats || findings(r) != c.findings {
			t.Errorf("%s: good %t, %d events, %d repeats, %q\nwant %t, %d, %d, %q", name,
				r.Good(), r.Events, r.Repeats, findings(r), c.good, c.events, c.repeats, c.findings)
		}
	}
}

func TestVerifierTakesExplainedGapsForNoFlaw(t *testing.T) {
	all := told(NewChain(7, 1, 0), "pump", 10)
	for name, c := range map[string]struct {
		from, to uint64 // what is explained; 3 to 8 are missing
		good     bool
		findings string
	}{
		"the whole gap":    {3, 8, true, "gap 1.0 3-8"},
		"more than it":     {1, 100, true, "gap 1.0 3-8"},
		"its beginning":    {1, 4, false, "gap 1.0 3-4, missing 1.0 5-8"},
		"its end":          {7, 8, false, "missing 1.0 3-6, gap 1.0 7-8"},
		"its middle":       {4, 5, false, "missing 1.0 3-3, gap 1.0 4-5, missing 1.0 6-8"},
		"another place":    {9, 9, false, "missing 1.0 3-8"},
		"backwards":        {8, 3, false, "missing 1.0 3-8"},
		"nothing":          {0, 0, false, "missing 1.0 3-8"},
		"up to the utmost": {8, 1<<64 - 1, false, "missing 1.0 3-7, gap 1.0 8-8"},
	} {
		before, after := NewVerifier(""), NewVerifier("")
		before.Explain("pump", c.from, c.to, "full")
		for _, f := range slices.Concat(all[:2], all[8:]) {
			before.Add(&f)
			after.Add(&f)
		}
		after.Explain("pump", c.from, c.to, "full")
		for _, v := range []*Verifier{before, after} {
			if r := v.Reports()[0]; r.Good() != c.good || findings(r) != c.findings {
				t.Errorf("%s: good %t, %q; want %t, %q", name, r.Good(), findings(r), c.good, c.findings)
			}
		}
	}
}

func withEpoch(h Head, epoch uint64) Head {
	h.Epoch = epoch
	return h
}

func reversed(frames []Frame) []Frame {
	frames = slices.Clone(frames)
	slices.Reverse(frames)
	return frames
}

func TestVerifierKeepsDaemonsApart(t *testing.T) {
	a, b := told(NewChain(1, 1, 0), "a", 3), told(NewChain(2, 4, 0), "b", 3)
	v := NewVerifier("")
	for i := range a {
		v.Add(&a[i])
		v.Add(&b[i])
	}
	r := v.Reports()
	if len(r) != 2 || r[0].Daemon != "a" || r[1].Daemon != "b" || r[0].Last != 3 || r[1].Epoch != 4 || !r[0].FromGenesis {
		t.Errorf("%+v", r)
	}
	for i := range maxCheckedChains {
		f := told(NewChain(1, 1, 0), DaemonID(fmt.Sprint("d", i)), 1)
		v.Add(&f[0])
	}
	if len(v.Reports()) != maxCheckedChains || v.Ignored() != 2 {
		t.Errorf("%d daemons, %d frames ignored", len(v.Reports()), v.Ignored())
	}
}

func TestVerifierKnowsTheOriginsOfItsFleet(t *testing.T) {
	for fleet, good := range map[string]bool{"plant-7": true, "default": false, "": true} {
		v := NewVerifier(fleet)
		for _, f := range told(NewChain(OriginOf("plant-7", "pump"), 1, 0), "pump", 3) {
			v.Add(&f)
		}
		if r := v.Reports()[0]; r.Good() != good {
			t.Errorf("checked for fleet %q: %q", fleet, findings(r))
		}
	}
}

func TestVerifierMayBeAskedTwice(t *testing.T) {
	frames := told(NewChain(1, 1, 0), "a", 5)
	v := NewVerifier("")
	v.Add(&frames[0])
	v.Add(&frames[3])
	first := v.Reports()[0]
	if first.Good() || findings(first) != "missing 1.0 2-3" {
		t.Errorf("%+v", first)
	}
	v.Add(&frames[1])
	v.Add(&frames[2])
	if again := v.Reports()[0]; !again.Good() {
		t.Errorf("what came late is still missing: %+v", again)
	}
}

func TestVerifierIsBounded(t *testing.T) {
	v := NewVerifier("")
	for i := range 3 * maxMissingRanges {
		f := Frame{Daemon: "a", Link: Link{Origin: 1, Sequence: uint64(2 * i), Parent: 1}}
		v.Add(&f)
	}
	r := v.Reports()[0]
	c := v.chains["a"]
	if len(r.Findings) != maxFindings || r.Omitted == 0 {
		t.Errorf("%d findings, %d omitted", len(r.Findings), r.Omitted)
	}
	if len(c.events) > rememberedEvents || len(c.missing) > maxMissingRanges {
		t.Errorf("%d events, %d ranges", len(c.events), len(c.missing))
	}
}

func TestVerifierAcceptsEveryOrderAndRefusesEveryChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := told(NewChain(3, 1, 0), "pump", rapid.IntRange(2, 30).Draw(t, "events"))
		shuffled := rapid.Permutation(append(slices.Clone(frames), frames[0], frames[1])).Draw(t, "order")
		if r := verified(shuffled...); !r.Good() || r.Events != uint64(len(frames)) || r.Repeats != 2 {
			t.Fatalf("not good, or %d events, %d repeats: %s", r.Events, r.Repeats, findings(r))
		}
		// The last event has no successor that vouches for it.
		i := rapid.IntRange(0, len(frames)-2).Draw(t, "changed")
		raw := AppendFrame(nil, &frames[i])
		at := rapid.IntRange(len(raw)-LinkSize-len(frames[i].Payload), len(raw)-1).Draw(t, "byte")
		raw[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		changed, _, err := ParseFrame(raw)
		if err != nil {
			t.Fatal(err)
		}
		frames[i] = changed
		if r := verified(frames...); r.Good() {
			t.Fatalf("byte %d of event %d may change", at, i+1)
		}
	})
}

func FuzzVerifier(f *testing.F) {
	var raw []byte
	for _, frame := range told(NewChain(1, 1, 0), "a", 3) {
		raw = AppendFrame(raw, &frame)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		v := NewVerifier("")
		frames := 0
		for len(raw) > 0 {
			frame, rest, err := ParseFrame(raw)
			if err != nil {
				break
			}
			v.Add(&frame)
			raw, frames = rest, frames+1
		}
		events := uint64(0)
		for _, r := range v.Reports() {
			events += r.Events + r.Repeats
		}
		if events > uint64(2*frames) {
			t.Errorf("%d events and repeats of %d frames", events, frames)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	chain := NewChain(1, 1, 0)
	v := NewVerifier("")
	f := Frame{Daemon: "pump", Epoch: 1, Payload: make([]byte, 256)}
	b.ReportAllocs()
	for b.Loop() {
		f.Link = chain.Append(f.Payload, 0)
		v.Add(&f)
	}
}
