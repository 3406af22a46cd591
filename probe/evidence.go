package probe

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/capability"
)

// Memory keeps what a machine is known to be from run to run. A fact leaves it only by a complete answer of the subject
// that found it; where that could not tell, the fact stays as last known. A fact that comes and goes is held for a
// while before it may leave. The zero Memory knows nothing and is ready to use; one goroutine at a time uses it.
type Memory struct {
	facts map[string]*known
}

type known struct {
	fact    Fact
	gone    bool    // remembered for its unrest alone
	unrest  float64 // disappearances, each halved every minute
	counted time.Time
}

const (
	calmAfter = time.Minute // half-life of unrest
	restless  = 3           // from here on a fact is held when it disappears
	calm      = 1           // below this it may leave
	forgotten = 0.1         // and below this its unrest is forgotten
)

// Merge adds the answers of a run to what is known, and gives the whole: facts of subjects that were not asked are
// there unchanged.
func (m *Memory) Merge(r Result) Result {
	if m.facts == nil {
		m.facts = map[string]*known{}
	}
	answers := map[string]*Report{}
	for i := range r.Reports {
		answers[r.Reports[i].Subject] = &r.Reports[i]
	}
	now, replaced := map[string]bool{}, map[string]bool{}
	for _, f := range r.Facts {
		text := f.Tag.String()
		now[text], replaced[f.Tag.Key()] = true, !f.many
		if k := m.facts[text]; k != nil {
			k.fact, k.gone = f, false
		} else {
			m.facts[text] = &known{fact: f}
		}
	}
	for text, k := range m.facts {
		report := answers[k.fact.Source]
		switch {
		case now[text]:
		case k.gone:
			if k.unrestAt(r.Time) < forgotten {
				delete(m.facts, text)
			}
		case report != nil:
			k.miss(r.Time, report.doubts(k.fact.Tag.Key()), replaced[k.fact.Tag.Key()])
		}
	}
	r.Facts = m.known()
	return r
}

// miss is a run in which the fact's own subject did not state it: because it could not tell, because another value took
// its place, or because it is gone.
func (k *known) miss(at time.Time, unsure, replaced bool) {
	there := k.fact.State != LastKnown
	if k.fact.State == Measured {
		k.fact.State = LastKnown
	}
	switch unrest := k.unrestAt(at); {
	case replaced:
		k.gone = true
	case unsure:
	case k.fact.State == Declared:
		k.gone = true
	case there:
		k.unrest, k.counted = unrest+1, at
		k.gone = k.unrest < restless
	default:
		k.gone = unrest < calm
	}
}

func (k *known) unrestAt(at time.Time) float64 {
	return k.unrest * math.Exp2(-at.Sub(k.counted).Minutes()/calmAfter.Minutes())
}

// doubts reports whether the subject could not tell about the key.
func (r *Report) doubts(key string) bool {
	return slices.ContainsFunc(r.Doubts, func(d Doubt) bool { return covers(d.Prefix, key) })
}

// covers reports whether the key is the prefix or lies below it: behind a dot, or of the same family behind _.
func covers(prefix, key string) bool {
	rest, ok := strings.CutPrefix(key, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '.' || rest[0] == '_')
}

func (m *Memory) known() []Fact {
	facts := make([]Fact, 0, len(m.facts))
	for _, k := range m.facts {
		if !k.gone {
			facts = append(facts, k.fact)
		}
	}
	slices.SortFunc(facts, func(a, b Fact) int { return cmp.Compare(a.Tag.String(), b.Tag.String()) })
	return facts
}

const (
	memoryVersion = 1
	maxExport     = 4 << 20 // bytes
)

type exported struct {
	Version int         `json:"v"`
	Facts   []savedFact `json:"facts"`
}

type savedFact struct {
	Tag      capability.Tag `json:"tag"`
	Source   string         `json:"source"`
	Evidence Evidence       `json:"evidence"`
	Time     time.Time      `json:"time"`
}

// Export gives what is known as bytes, for Import after a restart. What the operator declared is left out: it is
// declared anew.
func (m *Memory) Export() ([]byte, error) {
	doc := exported{Version: memoryVersion, Facts: []savedFact{}}
	for _, f := range m.known() {
		if f.State != Declared {
			f.Evidence.Raw = strings.ToValidUTF8(f.Evidence.Raw, "\uFFFD")
			doc.Facts = append(doc.Facts, savedFact{f.Tag, f.Source, f.Evidence, f.Time})
		}
	}
	return json.Marshal(doc)
}

// Import reads what Export gave; all of it counts as last known. Words the vocabulary has not, or no more, are left
// out. On an error the memory is as it was.
func (m *Memory) Import(saved []byte) error {
	if len(saved) > maxExport {
		return fmt.Errorf("reading what is known: %d bytes, above %d", len(saved), maxExport)
	}
	var doc exported
	if err := json.Unmarshal(saved, &doc); err != nil {
		return fmt.Errorf("reading what is known: %w", err)
	}
	if doc.Version != memoryVersion {
		return fmt.Errorf("reading what is known: version %d, this program reads %d", doc.Version, memoryVersion)
	}
	if len(doc.Facts) > capability.MaxTags {
		return errors.New("reading what is known: more facts than a machine may have")
	}
	words := map[string][]Word{}
	for _, s := range Subjects() {
		words[s.Name] = s.Words
	}
	facts := map[string]*known{}
	for _, f := range doc.Facts {
		if w, ok := find(words[f.Source], f.Tag.Key()); ok {
			facts[f.Tag.String()] = &known{fact: Fact{f.Tag, f.Source, f.Evidence.kept(), LastKnown, f.Time, w.Many}}
		}
	}
	m.facts = facts
	return nil
}
