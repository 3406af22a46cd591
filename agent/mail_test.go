package agent

import (
	"fmt"
	"testing"
)

func TestMailKeepsTheLatestOfEachTopicAndEveryCommand(t *testing.T) {
	m := newMail()
	m.put(Document{Topic: "a", Payload: []byte("1")}, true)
	m.put(Document{Topic: "c", Payload: []byte("x")}, false)
	m.put(Document{Topic: "a", Payload: []byte("2")}, true)
	m.put(Document{Topic: "c", Payload: []byte("y")}, false)
	var got string
	for _, d := range m.take() {
		got += d.Topic + string(d.Payload) + " "
	}
	if want := "a2 cx cy "; got != want {
		t.Errorf("mail is %s, want %s", got, want)
	}
	if rest := m.take(); len(rest) != 0 {
		t.Errorf("%d documents came twice", len(rest))
	}
}

func TestMailIsBounded(t *testing.T) {
	m := newMail()
	for i := range maxMail + 3 {
		m.put(Document{Topic: fmt.Sprint(i)}, true)
	}
	if n := len(m.take()); n != maxMail || m.lost() != 3 {
		t.Errorf("%d kept and %d lost, want %d and 3", n, m.lost(), maxMail)
	}
}
