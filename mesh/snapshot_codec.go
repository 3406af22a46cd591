package mesh

import (
	"maps"
	"slices"
)

const snapshotVersion = 1

// AppendSnapshot adds the record of a snapshot to b. Equal snapshots give equal bytes.
func AppendSnapshot(b []byte, s *Snapshot) []byte {
	b = append(b, snapshotVersion)
	b = appendText(b, s.Daemon)
	b = appendText(b, s.Kind)
	b = appendUint(b, uint64(s.Schema))
	b = appendUint(b, uint64(s.Position))
	b = appendHead(b, s.Head)
	b = appendInt(b, s.Time)
	b = appendUint(b, uint64(len(s.Observed)))
	for _, origin := range s.Observed {
		b = appendWord(b, uint64(origin))
	}
	b = appendUint(b, uint64(len(s.Windows)))
	for i := range s.Windows {
		b = appendWindow(b, &s.Windows[i])
	}
	b = appendUint(b, uint64(len(s.Retained)))
	for _, topic := range slices.Sorted(maps.Keys(s.Retained)) {
		b = appendWord(appendText(b, topic), s.Retained[topic])
	}
	b = appendUint(b, uint64(len(s.Accepted)))
	for _, origin := range slices.Sorted(maps.Keys(s.Accepted)) {
		b = appendUint(appendWord(b, uint64(origin)), s.Accepted[origin])
	}
	b = appendUint(b, uint64(len(s.Tasks)))
	for i := range s.Tasks {
		b = appendTask(b, &s.Tasks[i])
	}
	b = appendFlags(b, s.Stateful)
	return appendBytes(b, s.State)
}

// ParseSnapshot reads the record of a snapshot; Check then says whether a kind can go on from it.
func ParseSnapshot(b []byte) (Snapshot, error) {
	d := decode(b, snapshotVersion)
	s := Snapshot{
		Daemon: DaemonID(d.text()), Kind: d.text(), Schema: d.uint32(), Position: Position(d.uint()),
		Head: d.head(), Time: d.int(),
	}
	s.Observed = list(&d, 8, func(d *decoder) Origin { return Origin(d.word()) })
	s.Windows = list(&d, windowSize, (*decoder).window)
	s.Retained = table(&d, 9, func(d *decoder) (string, uint64) { return d.text(), d.word() })
	s.Accepted = table(&d, 9, func(d *decoder) (Origin, uint64) { return Origin(d.word()), d.uint() })
	s.Tasks = list(&d, taskSize, (*decoder).task)
	d.flags(&s.Stateful)
	s.State = d.bytes()
	if err := d.end("snapshot"); err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

// table reads entries of at least size bytes each, whose keys must ascend.
func table[K ~string | ~uint64, V any](d *decoder, size int, one func(*decoder) (K, V)) map[K]V {
	n := d.count(size)
	if n == 0 {
		return nil
	}
	all := make(map[K]V, min(n, 1024))
	var last K
	for i := range n {
		key, value := one(d)
		if i > 0 && key <= last {
			d.fail("keys out of order")
		}
		if d.err != nil {
			return nil
		}
		all[key], last = value, key
	}
	return all
}

// windowSize is the fewest bytes of a window.
const windowSize = 10

func appendWindow(b []byte, w *Window) []byte {
	b = appendText(b, w.Daemon)
	b = appendText(b, w.Source)
	b = appendUint(b, w.Epoch)
	b = appendUint(b, uint64(w.Incarnation))
	b = appendUint(b, w.Low)
	b = appendUint(b, w.Past)
	b = appendUint(b, w.Recent)
	b = appendInt(b, w.Rotated)
	b = appendUint(b, uint64(len(w.Runs)))
	from := w.Low
	for _, run := range w.Runs {
		b = appendUint(b, run.First-from)
		b = appendUint(b, run.Last-run.First)
		from = run.Last
	}
	b = appendUint(b, uint64(len(w.Texts)))
	for _, text := range w.Texts {
		b = appendWord(appendWord(b, text.Hash[0]), text.Hash[1])
		b = appendInt(b, text.Time)
	}
	return b
}

func (d *decoder) window() Window {
	w := Window{
		Daemon: DaemonID(d.text()), Source: d.text(), Epoch: d.uint(), Incarnation: d.uint32(),
		Low: d.uint(), Past: d.uint(), Recent: d.uint(), Rotated: d.int(),
	}
	from := w.Low
	w.Runs = list(d, 2, func(d *decoder) Run {
		run := Run{First: from + d.uint()}
		run.Last = run.First + d.uint()
		if run.First < from || run.Last < run.First {
			d.fail("numbers beyond 64 bits")
		}
		from = run.Last
		return run
	})
	w.Texts = list(d, 17, func(d *decoder) SeenText {
		return SeenText{Hash: [2]uint64{d.word(), d.word()}, Time: d.int()}
	})
	return w
}
