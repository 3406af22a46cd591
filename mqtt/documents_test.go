package mqtt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func newDocuments() *documents {
	return &documents{wake: make(chan struct{}, 1), kept: map[string]*document{}}
}

// send takes everything that is ready and has it confirmed.
func (d *documents) send(confirm bool) (out []string) {
	for {
		f, ok := d.next()
		if !ok {
			return out
		}
		out = append(out, f.topic+"="+string(f.payload))
		if confirm {
			d.confirmed(&f)
		}
	}
}

func TestDocumentsSendTheLatestPerTopicOnEachConnection(t *testing.T) {
	d := newDocuments()
	put := func(topic string, qos byte, retained bool, payload string) error {
		return d.put(topic, qos, retained, []byte(payload))
	}
	expect := func(confirm bool, want ...string) {
		t.Helper()
		if got := d.send(confirm); !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
	check(t, put("pres", 1, true, "1"))
	check(t, put("caps", 1, true, "1"))
	check(t, put("ack", 1, false, "a"))
	check(t, put("ack", 1, false, "b"))
	check(t, put("pres", 1, true, "2"))
	if err := put("hb", 0, false, "x"); !errors.Is(err, errOffline) {
		t.Errorf("QoS 0 without a connection: %v", err)
	}
	d.connected()
	check(t, put("hb", 0, false, "y"))
	expect(false, "pres=2", "caps=1", "ack=a", "ack=b", "hb=y")
	d.disconnected()
	d.connected()
	expect(true, "pres=2", "caps=1", "ack=a", "ack=b")
	check(t, put("caps", 1, true, ""))
	check(t, put("caps", 1, true, "3"))
	expect(true, "caps=3")
	check(t, put("caps", 1, true, ""))
	expect(true, "caps=")
	d.disconnected()
	d.connected()
	expect(true, "pres=2")
	if d.bytes != len("2") || len(d.kept) != 1 || len(d.order) != 1 || len(d.once) != 0 {
		t.Errorf("left: %d bytes, %v", d.bytes, d.kept)
	}
}

func TestClearingADocumentThatReturnsMeanwhileKeepsIt(t *testing.T) {
	d := newDocuments()
	d.connected()
	check(t, d.put("rep", 1, true, nil))
	f, _ := d.next()
	check(t, d.put("rep", 1, true, []byte("back")))
	d.confirmed(&f)
	if got := d.send(true); !slices.Equal(got, []string{"rep=back"}) {
		t.Errorf("sent %q", got)
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	d := newDocuments()
	for i := range maxDocuments {
		check(t, d.put(fmt.Sprint(i), 1, true, []byte("x")))
	}
	for range maxOnce {
		check(t, d.put("ack", 1, false, nil))
	}
	for what, err := range map[string]error{
		"too many documents": d.put("more", 1, true, nil),
		"too many docum":     d.put("ack", 1, false, nil),
		"above 131072":       d.put("0", 1, true, make([]byte, maxPayload+1)),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %q", err, what)
		}
	}
	check(t, d.put("0", 1, true, []byte("y")))
	for i := range maxDocumentBytes / maxPayload {
		if err := d.put(fmt.Sprint(i), 1, true, make([]byte, maxPayload)); err != nil {
			return
		}
	}
	t.Error("documents of any size find room")
}
