package mqtt

import (
	"net"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

func TestNoClientLeavesTheBrokerLocked(t *testing.T) {
	puback := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, Created: 1}
	publish := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}}
	for name, happens := range map[string]func(s *sessions, cl *mochi.Client){
		"an old acknowledgement goes again": func(s *sessions, cl *mochi.Client) { s.OnQosComplete(cl, puback) },
		"a will waits": func(s *sessions, cl *mochi.Client) {
			_, _ = s.OnWill(cl, mochi.Will{WillDelayInterval: 1})
		},
		"a message is handed out": func(s *sessions, cl *mochi.Client) {
			_, _ = s.OnPublish(cl, publish)
			s.OnQosComplete(cl, puback)
			if s.hands.TryLock() {
				t.Error("nothing is held while a message is handed out")
			}
			s.OnPublished(cl, publish)
		},
		"it ends while it publishes": func(s *sessions, cl *mochi.Client) {
			_, _ = s.OnPublish(cl, packets.Packet{})
			newListener("tcp", nil, nil).dismiss(cl.Net.Conn.(*gate))
		},
		"it ends before it was answered": func(s *sessions, cl *mochi.Client) {
			s.OnSessionEstablish(cl, packets.Packet{})
			newListener("tcp", nil, nil).dismiss(cl.Net.Conn.(*gate))
		},
	} {
		near, far := net.Pipe()
		server := mochi.New(&mochi.Options{Logger: quiet(Options{}.withDefaults().Log)})
		s := &sessions{server: server}
		happens(s, server.NewClient(&gate{Conn: near}, "tcp", "id", false))
		if !s.hands.TryLock() {
			t.Errorf("%s: the broker stays locked", name)
		}
		_, _ = near.Close(), far.Close()
	}
}
