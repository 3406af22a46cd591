package meshtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// hostilePayloads are what a topic can carry by mistake or on purpose.
func hostilePayloads() [][]byte {
	payloads := [][]byte{nil, {}, {0}, {0xff, 0xfe}, bytes.Repeat([]byte{0xff}, 300), make([]byte, mesh.MaxPayload)}
	for _, text := range []string{
		"null", "true", "-", "1e999", "-1e999", "NaN", "Infinity", "0x10", "1_000", "01", "1e-400", "1e308", "-1e308",
		"18446744073709551616",
		`""`, `"\ud800"`, "[]", "{}", "[[[[", "{{", `{"value"`, `{"value":`, `{"value":null}`, `{"value":"21"}`,
		`{"value":{}}`, `{"value":1e999}`, `{"":1}`, `{"value":1,"value":2}`, `{"sensor":1}`, `{"count":-1}`, "\xef\xbb\xbf1", " 1 ", "1\n2",
		`{"value":1}{"value":2}`, strings.Repeat("[", 20_000), strings.Repeat(`{"value":`, 5_000), strings.Repeat("9", 5_000),
		`{"value":"` + strings.Repeat("x", 50_000) + `"}`,
	} {
		payloads = append(payloads, []byte(text))
	}
	return payloads
}

// mutations are damaged forms of b: n of them.
func (p *proof) mutations(b []byte, n int) [][]byte {
	damaged := make([][]byte, 0, n)
	for range n {
		m := bytes.Clone(b)
		for range 1 + p.random.IntN(3) {
			if len(m) == 0 {
				m = append(m, byte(p.random.Uint32()))
				continue
			}
			at := p.random.IntN(len(m))
			switch p.random.IntN(5) {
			case 0:
				m = m[:at]
			case 1:
				m[at] ^= 1 << p.random.IntN(8)
			case 2:
				m[at] = byte(p.random.Uint32())
			case 3:
				m = slices.Insert(m, at, byte(p.random.Uint32()))
			case 4:
				m = slices.Delete(m, at, min(len(m), at+1+p.random.IntN(4)))
			}
		}
		damaged = append(damaged, m)
	}
	return damaged
}

func survivesPayloads(p *proof) error {
	h, err := p.start(nil)
	if err != nil {
		return err
	}
	h.lend = true
	payloads := hostilePayloads()
	for _, ev := range p.Events[:min(len(p.Events), 20)] {
		payloads = append(payloads, p.mutations(ev.Payload, 30)...)
	}
	ev := p.Events[0]
	began := time.Now()
	for i, payload := range payloads {
		ev = p.Events[i%len(p.Events)]
		ev.Payload, ev.Time = payload, p.Events[0].Time+int64(i)*int64(time.Second)
		ev.Trigger = mesh.Trigger(i % 4)
		if err := h.process(ev); err != nil {
			return fmt.Errorf("payload %q: %w", clip(payload), err)
		}
	}
	if each := time.Since(began) / time.Duration(len(payloads)); each > 10*slow {
		return fmt.Errorf("%v for each payload", each)
	}
	if _, err := h.state(); err != nil {
		return err
	}
	for _, good := range p.Events {
		good.Time += ev.Time
		if err := h.process(good); err != nil {
			return fmt.Errorf("a good event afterwards: %w", err)
		}
	}
	return nil
}

func refusesConfigs(p *proof) error {
	for _, config := range []string{
		"{", "[]", "7", `"text"`, `{"no-such-setting":1}`, "\xff", strings.Repeat("[", 100_000),
	} {
		if _, err := p.build(config); err == nil {
			return fmt.Errorf("config %.40q was accepted", config)
		}
	}
	if _, err := p.build(`{"no-such-setting":1}`); !strings.Contains(err.Error(), "no-such-setting") {
		return fmt.Errorf("the error of an unknown setting does not name it: %w", err)
	}
	given := make(map[string]json.RawMessage)
	if p.Config != "" {
		if err := json.Unmarshal([]byte(p.Config), &given); err != nil {
			return fmt.Errorf("config of the case: %w", err)
		}
	}
	for _, setting := range p.Kind.Config {
		wrong := maps.Clone(given)
		wrong[setting.Name] = json.RawMessage(`{"wrong":[true]}`)
		config, err := json.Marshal(wrong)
		if err != nil {
			return err
		}
		if _, err = p.build(string(config)); err == nil || !strings.Contains(err.Error(), setting.Name) {
			return fmt.Errorf("setting %s of the wrong type: %v", setting.Name, err)
		}
	}
	for _, config := range p.mutations([]byte(p.Config), 300) {
		if d, err := p.build(string(config)); err == nil {
			if err := (&host{daemon: d}).run(p.Events[:min(len(p.Events), 5)]); err != nil {
				return fmt.Errorf("config %q: %w", clip(config), err)
			}
		} else if err.Error() == "" {
			return errors.New("the factory gave an error without a text")
		}
	}
	return nil
}
