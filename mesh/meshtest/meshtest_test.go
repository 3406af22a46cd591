package meshtest

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
)

// honest sums the lengths of its payloads, emits the sum, and has each third payload measured by its Work.
type honest struct{ sum uint64 }

func (h *honest) Name() string                    { return "honest" }
func (h *honest) Requirements() capability.Filter { return capability.Filter{} }

func (h *honest) Process(ev *mesh.Event, out *mesh.Outputs) error {
	if ev.Failed != "" {
		return errors.New("the task failed")
	}
	h.sum += uint64(len(ev.Payload))
	out.Emit(binary.BigEndian.AppendUint64(nil, h.sum))
	if ev.Trigger == mesh.Message && len(ev.Payload)%3 == 0 {
		out.Defer([]byte("task"))
	}
	return nil
}

func (h *honest) Snapshot() ([]byte, error) {
	return append(binary.BigEndian.AppendUint64(nil, h.sum), byte(h.sum)^0x5a), nil
}

func (h *honest) Restore(state []byte) error {
	if len(state) != 9 || state[8] != state[7]^0x5a {
		return errors.New("damaged")
	}
	h.sum = binary.BigEndian.Uint64(state)
	return nil
}

func (h *honest) Work(context.Context, []byte) ([]byte, error) { return []byte("done"), nil }
func (h *honest) OnControl(mesh.Control)                       {}
func (h *honest) Health() mesh.Health                          { return mesh.Health{} }
func (h *honest) Saturation() float32                          { return 0.5 }

func honestCase(wrap func(*honest) mesh.Daemon) Case {
	settings := []mesh.Setting{{Name: "size", Type: mesh.TypeCount, Default: "1", Help: "a size"}}
	return Case{
		Kind: mesh.Kind{
			Name: "honest", Version: "1", Summary: "sums lengths", Schema: 1, Stateful: true, Config: settings,
			New: func(config []byte, _ mesh.Env) (mesh.Daemon, error) {
				s := mesh.ReadSettings(config, settings)
				s.Count("size", 1, 10)
				return wrap(&honest{}), s.Err()
			},
		},
		Config: `{"size":2}`,
		Events: Messages("s", "a", "bb", "ccc", "dddd", "eeeee", "ffffff"),
	}
}

func TestHonestDaemonPasses(t *testing.T) {
	Run(t, honestCase(func(h *honest) mesh.Daemon { return h }))
}

// Each offender breaks one promise.

type keeper struct {
	*honest
	kept []byte
}

func (k *keeper) Process(ev *mesh.Event, out *mesh.Outputs) error {
	out.Emit(k.kept)
	k.kept = ev.Payload
	return k.honest.Process(ev, out)
}

type forgetter struct{ *honest }

func (f *forgetter) Restore([]byte) error { return nil }

type halfStateful struct{ whole *honest }

func (h *halfStateful) Name() string                    { return "half" }
func (h *halfStateful) Requirements() capability.Filter { return capability.Filter{} }
func (h *halfStateful) Process(ev *mesh.Event, out *mesh.Outputs) error {
	return h.whole.Process(ev, out)
}
func (h *halfStateful) Snapshot() ([]byte, error)                        { return h.whole.Snapshot() }
func (h *halfStateful) Work(c context.Context, t []byte) ([]byte, error) { return h.whole.Work(c, t) }

type clocked struct{ *honest }

func (c *clocked) Process(ev *mesh.Event, out *mesh.Outputs) error {
	out.Emit(binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())))
	return c.honest.Process(ev, out)
}

type loudSnapshot struct{ *honest }

func (l *loudSnapshot) Snapshot() ([]byte, error) {
	l.sum++
	return l.honest.Snapshot()
}

type nervous struct{ *honest }

func (nervous) OnControl(c mesh.Control) {
	if c.Signal == mesh.Shutdown {
		panic("no")
	}
}

type unfit struct{ *honest }

func (unfit) Saturation() float32 { return float32(math.NaN()) }

type fragile struct{ *honest }

func (f *fragile) Process(ev *mesh.Event, out *mesh.Outputs) error {
	if strings.HasPrefix(string(ev.Payload), "{") {
		panic("unexpected")
	}
	return f.honest.Process(ev, out)
}

type idler struct{ *honest }

func (idler) Process(*mesh.Event, *mesh.Outputs) error { return nil }

type meddler struct{ *honest }

func (m *meddler) Work(context.Context, []byte) ([]byte, error) {
	m.sum++
	return nil, nil
}

func TestEachBrokenPromiseIsFound(t *testing.T) {
	for promise, wrap := range map[string]func(*honest) mesh.Daemon{
		"no input byte is kept after the call":             func(h *honest) mesh.Daemon { return &keeper{honest: h} },
		"a restored daemon goes on as if nothing happened": func(h *honest) mesh.Daemon { return &forgetter{h} },
		"empty state is accepted, foreign state refused":   func(h *honest) mesh.Daemon { return &forgetter{h} },
		"statefulness is told by the type":                 func(h *honest) mesh.Daemon { return &halfStateful{h} },
		"the same events give the same outputs and state":  func(h *honest) mesh.Daemon { return &clocked{h} },
		"a snapshot changes nothing and repeats":           func(h *honest) mesh.Daemon { return &loudSnapshot{h} },
		"control is taken between any two events":          func(h *honest) mesh.Daemon { return nervous{h} },
		"health and saturation are in range and quick":     func(h *honest) mesh.Daemon { return unfit{h} },
		"hostile payloads are errors at most":              func(h *honest) mesh.Daemon { return &fragile{h} },
		"the events matter":                                func(h *honest) mesh.Daemon { return idler{h} },
		"deferred work may run twice":                      func(h *honest) mesh.Daemon { return &meddler{h} },
	} {
		if err := checkOf(t, promise)(honestCase(wrap)); err == nil {
			t.Errorf("%s: the offender passed", promise)
		}
	}
}

func TestEachBrokenDescriptionIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		promise string
		change  func(*mesh.Kind)
	}{
		"no name":   {"the kind describes itself", func(k *mesh.Kind) { k.Name = "" }},
		"no schema": {"the kind describes itself", func(k *mesh.Kind) { k.Schema = 0 }},
		"an unknown type": {"the kind describes itself", func(k *mesh.Kind) {
			k.Config = []mesh.Setting{{Name: "a", Help: "b"}}
		}},
		"statefulness": {"statefulness is told by the type", func(k *mesh.Kind) { k.Stateful = false }},
		"a careless factory": {"hostile configurations are refused", func(k *mesh.Kind) {
			k.New = func([]byte, mesh.Env) (mesh.Daemon, error) { return &honest{}, nil }
		}},
		"a factory without result": {"hostile configurations are refused", func(k *mesh.Kind) {
			k.New = func([]byte, mesh.Env) (mesh.Daemon, error) { return nil, nil }
		}},
	} {
		broken := honestCase(func(h *honest) mesh.Daemon { return h })
		c.change(&broken.Kind)
		if err := checkOf(t, c.promise)(broken); err == nil {
			t.Errorf("%s: passed %q", name, c.promise)
		}
	}
}

func checkOf(t *testing.T, name string) func(Case) error {
	t.Helper()
	for _, p := range promises {
		if p.name == name {
			return p.check
		}
	}
	t.Fatalf("no promise %q", name)
	return nil
}
