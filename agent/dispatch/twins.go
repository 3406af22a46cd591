package dispatch

import "github.com/edge-agent/edge-agent/mesh"

// twins are the inputs without identity that an earlier run left on record. Their acknowledgements may have been lost
// with it: the broker then sends each once more, marked as a possible repeat.
type twins map[twin]int

type twin struct{ topic, payload uint64 }

func twinOf(ev *mesh.Event) twin { return twin{hashOf([]byte(ev.Topic)), hashOf(ev.Payload)} }

func newTwins(givens []mesh.Given) twins {
	t := twins{}
	for i := range givens {
		if ev := &givens[i].Event; ev.Trigger == mesh.Message && ev.ID.IsZero() {
			t[twinOf(ev)]++
		}
	}
	return t
}

// take reports whether the event is the repeat of one on record. Each is recognised once.
func (t twins) take(ev *mesh.Event) bool {
	if len(t) == 0 || !ev.ID.IsZero() {
		return false
	}
	key := twinOf(ev)
	if t[key] == 0 {
		return false
	}
	if t[key]--; t[key] == 0 {
		delete(t, key)
	}
	return true
}
