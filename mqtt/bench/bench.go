// Package bench measures how fast messages go through a program that answers each with one of its own, over a broker:
// the agent beside a plain program of the MQTT client that the agent uses, in turns, so that a busy machine spoils both
// alike.
//
// The measuring side writes and reads MQTT packets itself, so that it is not what is measured. It leaves starting the
// agent to its caller.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/edge-agent/edge-agent/mqtt"
)

// In and Out are the topics that a side reads and answers on, ten of the former.
const (
	In  = "bench/in"
	Out = "bench/out"

	topics = 10
)

// Side is a program under measurement.
type Side struct {
	Name string
	// QoS is that of its inputs and outputs.
	QoS byte
	// Start runs it until stop is called.
	Start func(ctx context.Context, url string) (stop func() error, err error)
}

// Options say what to measure. The zero value measures 20,000 events a turn, in 3 turns.
type Options struct {
	Events   int
	Rounds   int
	Sides    []Side // beside the plain ones
	Progress func(done, total int)
}

// Row is what one side did: the median of its turns.
type Row struct {
	Side      string  `json:"side"`
	QoS       byte    `json:"qos"`
	Rate      float64 `json:"events_per_second"`
	RoundTrip float64 `json:"round_trip_us"` // median, one event at a time
}

const (
	// ahead is how many events may be without an answer when measuring the rate.
	ahead = 256
	// settling is how long a side may take until it answers.
	settling = time.Minute
)

// Run measures all sides over one broker.
func Run(ctx context.Context, url string, o Options) ([]Row, error) {
	o.Events, o.Rounds = cmp.Or(o.Events, 20_000), cmp.Or(o.Rounds, 3)
	sides := append([]Side{plain(0), plain(1)}, o.Sides...)
	slices.SortStableFunc(sides, func(a, b Side) int { return int(a.QoS) - int(b.QoS) })
	rates, trips := make([][]float64, len(sides)), make([][]float64, len(sides))
	for round := range o.Rounds {
		for i, side := range sides {
			rate, trip, err := measure(ctx, url, side, o.Events)
			if err != nil {
				return nil, fmt.Errorf("%s at QoS %d: %w", side.Name, side.QoS, err)
			}
			rates[i], trips[i] = append(rates[i], rate), append(trips[i], trip)
			if o.Progress != nil {
				o.Progress(round*len(sides)+i+1, o.Rounds*len(sides))
			}
		}
	}
	rows := make([]Row, len(sides))
	for i, side := range sides {
		rows[i] = Row{Side: side.Name, QoS: side.QoS, Rate: median(rates[i]), RoundTrip: median(trips[i])}
	}
	return rows, nil
}

func measure(ctx context.Context, url string, side Side, events int) (rate, trip float64, err error) {
	stop, err := side.Start(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	p, err := meet(ctx, url, side.QoS)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.settle(ctx); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if _, err := p.drive(ctx, events, ahead); err != nil {
		return 0, 0, err
	}
	rate = float64(events) / time.Since(begin).Seconds()
	trips, err := p.drive(ctx, max(10, events/40), 1)
	return rate, median(trips), err
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// plain is as little as a program can do: it publishes what it is sent, and forgets it.
func plain(qos byte) Side {
	start := func(_ context.Context, url string) (func() error, error) {
		o := paho.NewClientOptions().AddBroker(url).SetClientID("bench-plain").SetCleanSession(true)
		o.SetAutoReconnect(false)
		c := paho.NewClient(o)
		answer := func(c paho.Client, m paho.Message) { c.Publish(Out, qos, false, m.Payload()) }
		for _, f := range []func() paho.Token{
			c.Connect, func() paho.Token { return c.Subscribe(In+"/+", qos, answer) },
		} {
			t := f()
			if !t.WaitTimeout(settling) {
				return nil, errors.New("the broker does not answer")
			}
			if err := t.Error(); err != nil {
				return nil, err
			}
		}
		return func() error { c.Disconnect(250); return nil }, nil
	}
	return Side{Name: "plain program", QoS: qos, Start: start}
}

// Broker starts Mosquitto where it is installed, and else the embedded broker, as docs/brokers.md recommends.
func Broker(ctx context.Context, dir string) (url, name string, stop func() error, err error) {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		b, err := mqtt.OpenBroker(mqtt.BrokerOptions{Listen: "127.0.0.1:0"})
		if err != nil {
			return "", "", nil, err
		}
		return "tcp://" + b.Addrs()[0].String(), "embedded broker", b.Close, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", nil, err
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	config := []string{
		"listener " + port + " 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "max_inflight_messages 1000",
		"max_queued_messages 1000000", "",
	}
	file := filepath.Join(dir, "mosquitto.conf")
	err = errors.Join(l.Close(), os.WriteFile(file, []byte(strings.Join(config, "\n")), 0o600))
	if err != nil {
		return "", "", nil, err
	}
	process := exec.Command(program, "-c", file)
	if err := process.Start(); err != nil {
		return "", "", nil, err
	}
	stop = func() error {
		err := process.Process.Signal(os.Interrupt)
		_ = process.Wait() // it ends by the signal
		return err
	}
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return "tcp://" + address, "mosquitto", stop, conn.Close()
		}
		select {
		case <-ctx.Done():
			return "", "", nil, errors.Join(ctx.Err(), stop())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
