package mqtt

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// sessions mends two ways in which the embedded broker could lose a message of QoS 1.
//
// A client that connects again inherits what waits for it from its older connection. A message sent to the older one
// between the copying and the change of hands would be gone, so sending and inheriting exclude each other.
//
// Clients and broker number their packets independently, but the broker keeps both in one table, where a client's
// publication could displace a message that the client has not acknowledged. So packets of clients get a number that
// is free there, and the answers their own again.
type sessions struct {
	mochi.HookBase
	server *mochi.Server
	hands  sync.RWMutex // held for writing while a session changes hands, for reading while messages are handed out
}

func (*sessions) ID() string { return "sessions" }

func (*sessions) Provides(b byte) bool {
	switch b {
	case mochi.OnSessionEstablish, mochi.OnPublish, mochi.OnQosComplete, mochi.OnPublished, mochi.OnWill, mochi.OnWillSent,
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnQosPublish:
		return true
	}
	return false
}

// OnSessionEstablish is called right before a session may be inherited; the first write to the new connection, or its
// end, shows that it is over.
func (s *sessions) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	if old, ok := s.server.Clients.Get(cl.ID); ok {
		old.Stop(packets.ErrSessionTakenOver) // a stuck connection must not hold up the others
	}
	if g, ok := cl.Net.Conn.(*gate); ok {
		s.hands.Lock()
		unlock := s.hands.Unlock
		g.held.Store(&unlock)
	}
}

// OnPublish is the last call before a message of QoS 0 is handed out.
func (s *sessions) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if g, ok := cl.Net.Conn.(*gate); ok {
		g.publishing = pk.FixedHeader.Qos == 1
	}
	if pk.FixedHeader.Qos == 0 {
		s.begin(cl)
	}
	return pk, nil
}

// OnQosComplete is the last call before a message of QoS 1 is handed out. It is called for other reasons too: when a
// client acknowledges, which has no time, and when an old acknowledgement is sent again, which follows no OnPublish.
func (s *sessions) OnQosComplete(cl *mochi.Client, pk packets.Packet) {
	g, ok := cl.Net.Conn.(*gate)
	if ok && g.publishing && pk.FixedHeader.Type == packets.Puback && pk.Created != 0 {
		g.publishing = false
		s.begin(cl)
	}
}

// OnPublished is called when a message was handed out.
func (s *sessions) OnPublished(cl *mochi.Client, _ packets.Packet) { s.end(cl) }

// OnWill is called before a will is handed out, now or after a delay.
func (s *sessions) OnWill(cl *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if will.WillDelayInterval == 0 {
		s.begin(cl)
	}
	return will, nil
}

// OnWillSent is called when a will was handed out.
func (s *sessions) OnWillSent(cl *mochi.Client, _ packets.Packet) { s.end(cl) }

func (s *sessions) begin(cl *mochi.Client) {
	if g, ok := cl.Net.Conn.(*gate); ok && g.sharing == nil {
		s.hands.RLock()
		g.sharing = s.hands.RUnlock
	}
}

func (s *sessions) end(cl *mochi.Client) {
	if g, ok := cl.Net.Conn.(*gate); ok {
		g.share()
	}
}

// OnPacketRead gives a client's packet a free number.
func (s *sessions) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	g, ok := cl.Net.Conn.(*gate)
	if !ok {
		return pk, nil
	}
	switch pk.FixedHeader.Type {
	case packets.Publish, packets.Subscribe, packets.Unsubscribe:
		if pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos != 1 {
			return pk, nil
		}
		id := uint16(g.newest.Load()) ^ 0x8000 // far from what the broker will use next
		for range 1 << 16 {
			if _, taken := cl.State.Inflight.Get(id); id != 0 && !taken {
				break
			}
			id++
		}
		g.theirs.Store(uint32(id)<<16 | uint32(pk.PacketID))
		pk.PacketID = id
	}
	return pk, nil
}

// OnPacketEncode gives the answer the number that the client knows.
func (s *sessions) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	if g, ok := cl.Net.Conn.(*gate); ok {
		switch pk.FixedHeader.Type {
		case packets.Puback, packets.Suback, packets.Unsuback:
			if ids := g.theirs.Load(); uint16(ids>>16) == pk.PacketID {
				pk.PacketID = uint16(ids)
			}
		}
	}
	return pk
}

// OnQosPublish notes the newest number that the broker has used.
func (s *sessions) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, _ int) {
	if g, ok := cl.Net.Conn.(*gate); ok && pk.FixedHeader.Type == packets.Publish {
		g.newest.Store(uint32(pk.PacketID))
	}
}

// stuckClient is how long a client may refuse to take a packet before it is given up.
const stuckClient = 10 * time.Second

// gate is the connection of one client of an embedded broker. The fields without a lock are used by the goroutine that
// reads from it, which is also the one that ends it.
type gate struct {
	net.Conn
	held       atomic.Pointer[func()] // ends the change of hands that this connection began
	sharing    func()                 // ends the handing out that this connection began
	publishing bool                   // a message of QoS 1 was taken and is not yet acknowledged
	newest     atomic.Uint32          // the newest packet number of the broker
	theirs     atomic.Uint32          // the broker's and the client's number of the packet being answered
}

// Write is called by one goroutine at a time. A client that takes nothing must not hold up the others for long.
func (g *gate) Write(p []byte) (int, error) {
	g.pass()
	if err := g.SetWriteDeadline(time.Now().Add(stuckClient)); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

// SetDeadline bounds reading; writing has its own bound.
func (g *gate) SetDeadline(t time.Time) error { return g.SetReadDeadline(t) }

// pass ends the change of hands, if this connection began one.
func (g *gate) pass() {
	if unlock := g.held.Swap(nil); unlock != nil {
		(*unlock)()
	}
}

// share ends the handing out, if this connection began one.
func (g *gate) share() {
	if unlock := g.sharing; unlock != nil {
		g.sharing = nil
		unlock()
	}
}
