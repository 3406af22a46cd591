package mesh

import (
	"maps"
	"slices"
)

const snapshotVersion = 1

// AppendSnapshot adds the record of a snapshot to b. Equal snapshots give equal bytes.
func AppendSnapshot(b []byte, s *Snapshot) []byte {
	b = append(b, snapshotVersion)
	b = AppendText(b, s.Daemon)
	b = AppendText(b, s.Kind)
	b = AppendUint(b, uint64(s.Schema))
	b = AppendUint(b, uint64(s.Position))
	b = appendHead(b, s.Head)
	b = AppendInt(b, s.Time)
	b = AppendUint(b, uint64(len(s.Observed)))
	for _, origin := range s.Observed {
		b = AppendWord(b, uint64(origin))
	}
	b = AppendUint(b, uint64(len(s.Windows)))
	for i := range s.Windows {
		b = appendWindow(b, &s.Windows[i])
	}
	b = AppendUint(b, uint64(len(s.Retained)))
	for _, topic := range slices.Sorted(maps.Keys(s.Retained)) {
		b = AppendWord(AppendText(b, topic), s.Retained[topic])
	}
	b = AppendUint(b, uint64(len(s.Accepted)))
	for _, origin := range slices.Sorted(maps.Keys(s.Accepted)) {
		b = AppendUint(AppendWord(b, uint64(origin)), s.Accepted[origin])
	}
	b = AppendUint(b, uint64(len(s.Tasks)))
	for i := range s.Tasks {
		b = appendTask(b, &s.Tasks[i])
	}
	b = AppendFlags(b, s.Stateful)
	return AppendBytes(b, s.State)
}

// ParseSnapshot reads the record of a snapshot; Check then says whether a kind can go on from it.
func ParseSnapshot(b []byte) (Snapshot, error) {
	d := Decode(b, snapshotVersion)
	s := Snapshot{
		Daemon: DaemonID(d.Text()), Kind: d.Text(), Schema: d.Uint32(), Position: Position(d.Uint()),
		Head: d.head(), Time: d.Int(),
	}
	s.Observed = list(&d, 8, func(d *Decoder) Origin { return Origin(d.Word()) })
	s.Windows = list(&d, windowSize, (*Decoder).window)
	s.Retained = table(&d, 9, func(d *Decoder) (string, uint64) { return d.Text(), d.Word() })
	s.Accepted = table(&d, 9, func(d *Decoder) (Origin, uint64) { return Origin(d.Word()), d.Uint() })
	s.Tasks = list(&d, taskSize, (*Decoder).task)
	d.Flags(&s.Stateful)
	s.State = d.Bytes()
	if err := d.End("snapshot"); err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

// table reads entries of at least size bytes each, whose keys must ascend.
func table[K ~string | ~uint64, V any](d *Decoder, size int, one func(*Decoder) (K, V)) map[K]V {
	n := d.Count(size)
	if n == 0 {
		return nil
	}
	all := make(map[K]V, min(n, 1024))
	var last K
	for i := range n {
		key, value := one(d)
		if i > 0 && key <= last {
			d.Fail("keys out of order")
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
	b = AppendText(b, w.Daemon)
	b = AppendText(b, w.Source)
	b = AppendUint(b, w.Epoch)
	b = AppendUint(b, uint64(w.Incarnation))
	b = AppendUint(b, w.Low)
	b = AppendUint(b, w.Past)
	b = AppendUint(b, w.Recent)
	b = AppendInt(b, w.Rotated)
	b = AppendUint(b, uint64(len(w.Runs)))
	from := w.Low
	for _, run := range w.Runs {
		b = AppendUint(b, run.First-from)
		b = AppendUint(b, run.Last-run.First)
		from = run.Last
	}
	b = AppendUint(b, uint64(len(w.Texts)))
	for _, text := range w.Texts {
		b = AppendWord(AppendWord(b, text.Hash[0]), text.Hash[1])
		b = AppendInt(b, text.Time)
	}
	return b
}

func (d *Decoder) window() Window {
	w := Window{
		Daemon: DaemonID(d.Text()), Source: d.Text(), Epoch: d.Uint(), Incarnation: d.Uint32(),
		Low: d.Uint(), Past: d.Uint(), Recent: d.Uint(), Rotated: d.Int(),
	}
	from := w.Low
	w.Runs = list(d, 2, func(d *Decoder) Run {
		run := Run{First: from + d.Uint()}
		run.Last = run.First + d.Uint()
		if run.First < from || run.Last < run.First {
			d.Fail("numbers beyond 64 bits")
		}
		from = run.Last
		return run
	})
	w.Texts = list(d, 17, func(d *Decoder) SeenText {
		return SeenText{Hash: [2]uint64{d.Word(), d.Word()}, Time: d.Int()}
	})
	return w
}
