// Package peers measures the dispatch loop beside what others build such a program on: Go channels, xsync's queue, an
// actor of protoactor-go, watermill's channel transport and a NATS server in the same process.
//
// Every side does the same work for the same payload: one producer hands over events, and one consumer links each into
// a chain with its hash. Reading topics, budgets and statistics come on top in the loop and not in the others; routing
// by topic does in watermill and NATS. It is a module of its own, so that the agent needs none of them.
package peers

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/asynkron/protoactor-go/actor"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/edge-agent/edge-agent/agent/dispatch"
	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

const (
	topic = "plant.line3.machine7.temperature"
	room  = 1024 // events that may wait
	burst = 64
)

var payload = []byte(`{"value":21.52,"unit":"C","sequence":1234567,"quality":"good"} `)

// consumer links what it gets; done is closed behind the last event.
type consumer struct {
	chain *mesh.Chain
	left  int
	done  chan struct{}
}

func newConsumer(n int) *consumer {
	return &consumer{chain: mesh.NewChain(1, 1, 0), left: n, done: make(chan struct{})}
}

func (c *consumer) take(payload []byte) {
	c.chain.Append(payload, 0)
	c.count()
}

func (c *consumer) count() {
	if c.left--; c.left == 0 {
		close(c.done)
	}
}

// produce hands b.N events over, one by one, and waits until the last has been processed.
func produce(b *testing.B, c *consumer, send func()) {
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		send()
	}
	<-c.done
	b.StopTimer()
}

// wait is what those do who find a queue full or empty that cannot wake them: let others run, and then sleep.
func wait(try int) {
	if try < 8 {
		runtime.Gosched()
	} else {
		time.Sleep(10 * time.Microsecond)
	}
}

// daemon is the consumer as the loop has it, which does the linking itself.
type daemon struct{ *consumer }

func (daemon) Name() string                    { return "peer" }
func (daemon) Requirements() capability.Filter { return capability.Filter{} }
func (d daemon) Process(ev *mesh.Event, out *mesh.Outputs) error {
	out.Emit(ev.Payload)
	d.count()
	return nil
}

func BenchmarkLoopOneByOne(b *testing.B) { loop(b, 1) }
func BenchmarkLoopInBursts(b *testing.B) { loop(b, burst) }

func loop(b *testing.B, burst int) {
	c := newConsumer(b.N)
	h := dispatch.New(dispatch.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	chain := mesh.NewChain(1, 1, 0)
	err := h.Add(ctx, dispatch.Spec{
		ID: "peer", Daemon: daemon{c}, Durability: dispatch.Volatile, Bindings: []dispatch.Binding{{Filter: topic}},
		Ledger: dispatch.NewLedger(mesh.Snapshot{Daemon: "peer", Head: chain.Head()}),
	})
	if err != nil {
		b.Fatal(err)
	}
	lane, in, sent := h.Lane("producer", room), dispatch.Input{Topic: topic, Payload: payload}, 0
	produce(b, c, func() {
		for try := 0; !lane.Stage(&in); try++ {
			lane.Flush()
			wait(try)
		}
		if sent++; sent%burst == 0 || sent == b.N {
			lane.Flush()
		}
	})
}

func BenchmarkChannel(b *testing.B) {
	c, events := newConsumer(b.N), make(chan []byte, room)
	go func() {
		for payload := range events {
			c.take(payload)
		}
	}()
	defer close(events)
	produce(b, c, func() { events <- payload })
}

func BenchmarkXsyncQueue(b *testing.B) {
	c, events := newConsumer(b.N), xsync.NewSPSCQueue[[]byte](room)
	go func() {
		for try := 0; ; try++ {
			if payload, ok := events.TryDequeue(); ok {
				c.take(payload)
				try = 0
				continue
			}
			select {
			case <-c.done:
				return
			default:
				wait(try)
			}
		}
	}()
	produce(b, c, func() {
		for try := 0; !events.TryEnqueue(payload); try++ {
			wait(try)
		}
	})
}

func BenchmarkProtoactor(b *testing.B) {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	c, system := newConsumer(b.N), actor.NewActorSystem(actor.WithLoggerFactory(quiet))
	defer system.Shutdown()
	receiver := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if payload, ok := ctx.Message().([]byte); ok {
			c.take(payload)
		}
	}, actor.WithMailbox(actor.Bounded(room))))
	produce(b, c, func() { system.Root.Send(receiver, payload) })
}

func BenchmarkWatermill(b *testing.B) {
	c := newConsumer(b.N)
	bus := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: room}, watermill.NopLogger{})
	defer bus.Close()
	events, err := bus.Subscribe(b.Context(), topic)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for m := range events {
			c.take(m.Payload)
			m.Ack()
		}
	}()
	produce(b, c, func() {
		if err := bus.Publish(topic, message.NewMessage("", payload)); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkNATS(b *testing.B) {
	c := newConsumer(b.N)
	broker, err := server.NewServer(&server.Options{
		DontListen: true, NoLog: true, NoSigs: true, MaxPending: 1 << 30, // nothing is dropped
	})
	if err != nil {
		b.Fatal(err)
	}
	broker.Start()
	defer broker.Shutdown()
	if !broker.ReadyForConnections(time.Minute) {
		b.Fatal("the server does not start")
	}
	sender, receiver := connect(b, broker), connect(b, broker)
	sub, err := receiver.Subscribe(topic, func(m *nats.Msg) { c.take(m.Data) })
	if err != nil {
		b.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		b.Fatal(err)
	}
	if err := receiver.Flush(); err != nil {
		b.Fatal(err)
	}
	sent := 0
	produce(b, c, func() {
		if err := sender.Publish(topic, payload); err != nil {
			b.Fatal(err)
		}
		if sent++; sent == b.N {
			if err := sender.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func connect(b *testing.B, broker *server.Server) *nats.Conn {
	b.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(broker))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	return conn
}
