package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

// puppetsMain is edge-agent run with the kinds puppet and doll beside those that are built in.
func puppetsMain() {
	if len(os.Args) > 1 && os.Args[1] == checkStateCommand {
		os.Exit(persist.CheckMain(os.Args[2:]))
	}
	var line struct {
		Run configFlags `cmd:""`
	}
	kong.Parse(&line)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := line.Run.Settings()
	if err == nil {
		all := append(kinds(), puppetKind("puppet", true), puppetKind("doll", false))
		err = serve(ctx, s, all, newLogger(os.Stderr, s.Log), nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(int(asFailure(err).Code))
	}
}

// act is what a puppet is told to do by the payload of an event.
type act struct {
	Do    string  `json:"do"` // emit, fail, panic, hang, work, say, load, need
	Text  string  `json:"text"`
	Times int     `json:"times"`
	MS    int     `json:"ms"`
	Value float64 `json:"value"`
}

// puppet does what it is told and tells what happens to it. It counts its events.
type puppet struct {
	id       mesh.DaemonID
	config   puppetConfig
	count    uint64
	health   mesh.Health
	load     float32
	asked    time.Duration
	controls []string
}

type puppetConfig struct {
	Requires string   `json:"requires"`
	Must     []string `json:"must"`
	Hostile  string   `json:"hostile"` // factory, restore or snapshot
}

// doll is a puppet without state.
type doll struct{ *puppet }

// Only a puppet keeps state: a doll hides it.
type stateful struct{ *puppet }

func puppetKind(name string, keeps bool) mesh.Kind {
	return mesh.Kind{
		Name: name, Version: "1", Schema: 1, Stateful: keeps, Summary: "does what its events tell it",
		New: func(config []byte, env mesh.Env) (mesh.Daemon, error) {
			p := &puppet{id: env.ID}
			if err := json.Unmarshal(config, &p.config); err != nil {
				return nil, err
			}
			switch p.config.Hostile {
			case "factory":
				panic("a factory that panics")
			case "slow factory":
				time.Sleep(time.Hour)
			}
			if keeps {
				return stateful{p}, nil
			}
			return doll{p}, nil
		},
	}
}

func (p *puppet) Name() string { return "the puppet " + string(p.id) }

func (p *puppet) Requirements() capability.Filter {
	if p.config.Requires == "" {
		return capability.Filter{}
	}
	return capability.MustFilter(p.config.Requires)
}

func (p *puppet) RequiredCapabilities() capability.Set {
	set, err := capability.ParseSet(p.config.Must...)
	if err != nil {
		panic(err)
	}
	return set
}

func (p *puppet) OptionalCapabilities() capability.Set { return capability.Set{} }

func (p *puppet) Process(ev *mesh.Event, out *mesh.Outputs) error {
	p.count++
	if ev.Trigger == mesh.Result {
		out.Emit(fmt.Appendf(nil, `{"result":%q,"failed":%q,"count":%d}`, ev.Payload, ev.Failed, p.count))
		return nil
	}
	if ev.Trigger == mesh.Tick {
		out.Emit(fmt.Appendf(nil, `{"tick":%d,"count":%d}`, ev.Missed, p.count))
		return nil
	}
	var a act
	if err := json.Unmarshal(ev.Payload, &a); err != nil {
		return err
	}
	switch a.Do {
	case "emit":
		for range max(a.Times, 1) {
			out.Emit(fmt.Appendf(nil, `{"text":%q,"count":%d,"controls":%q}`, a.Text, p.count, p.controls))
		}
	case "fail":
		out.Emit([]byte("never seen"))
		return errors.New(a.Text)
	case "panic":
		out.Emit([]byte("never seen"))
		panic(a.Text)
	case "panic once":
		if mark := os.Getenv("PUPPET_MARK"); mark != "" {
			if _, err := os.Stat(mark); err != nil {
				if err := os.WriteFile(mark, nil, 0o600); err != nil {
					return err
				}
				panic(a.Text)
			}
		}
		out.Emit([]byte(`{"text":"survived"}`))
	case "hang":
		time.Sleep(time.Duration(a.MS) * time.Millisecond)
	case "exit":
		os.Exit(9)
	case "work":
		for range max(a.Times, 1) {
			out.Defer([]byte(a.Text))
		}
	case "say":
		p.health = mesh.Health{Level: mesh.Level(a.Value), Reason: a.Text}
		p.asked = time.Duration(a.MS) * time.Millisecond
	case "load":
		p.load = float32(a.Value)
		if a.Text == "nan" {
			p.load = float32(math.NaN())
		}
	default:
		return fmt.Errorf("a puppet cannot %q", a.Do)
	}
	return nil
}

func (p *puppet) Work(ctx context.Context, task []byte) ([]byte, error) {
	if string(task) == "impossible" {
		return nil, errors.New("this cannot be done")
	}
	return append([]byte("done "), task...), nil
}

func (p *puppet) Health() mesh.Health {
	time.Sleep(p.asked)
	return p.health
}

func (p *puppet) Saturation() float32 { return p.load }

func (p *puppet) OnControl(c mesh.Control) {
	p.controls = append(p.controls, fmt.Sprintf("%s %s %.1f", c.Signal, c.Grace, c.Level))
}

func (s stateful) Snapshot() ([]byte, error) {
	if s.config.Hostile == "snapshot" {
		return nil, errors.New("no snapshot today")
	}
	return binary.BigEndian.AppendUint64(nil, s.count), nil
}

func (s stateful) Restore(state []byte) error {
	if s.config.Hostile == "restore" {
		return errors.New("no restore today")
	}
	if len(state) != 8 {
		return fmt.Errorf("state of %d bytes, want 8", len(state))
	}
	s.count = binary.BigEndian.Uint64(state)
	return nil
}
