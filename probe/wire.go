package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// wireSubject reads 1-wire thermometers. Each takes most of a second to convert, so it is slow and offers its gauges
// with the values it found; that they exist at all, sensorsSubject tells at once.
func wireSubject() Subject {
	return Subject{
		Name:    "1-wire",
		Slow:    true,
		Timeout: time.Minute,
		Uevents: []string{"w1"},
		Probe:   probeWire,
		Words: []Word{{Key: "hardware.sensor.wire.answering", Unit: "count",
			Meaning: "1-wire thermometers that gave a sound answer", From: "/sys/bus/w1/devices/*/temperature", Since: "0.1"}},
	}
}

const wireDevices = "/sys/bus/w1/devices"

// thermometers are the 1-wire devices whose family measures temperature.
func thermometers(p *Pass) []string {
	var found []string
	for _, name := range p.Names(wireDevices) {
		switch family, _, ok := strings.Cut(name, "-"); family {
		case "10", "22", "28", "3b", "42":
			if ok {
				found = append(found, name)
			}
		}
	}
	return found
}

func probeWire(p *Pass) error {
	n := int64(0)
	var e Evidence
	for _, name := range thermometers(p) {
		value, at, err := readWire(p, wireDevices+"/"+name)
		if err != nil {
			p.Doubt("hardware.sensor.wire", err)
			continue
		}
		n, e = n+1, at
		p.Gauge(Gauge{Kind: "temperature", Name: "ds18x20/" + keyword(name), Unit: "celsius", Value: value})
	}
	if n > 0 {
		p.Count("hardware.sensor.wire.answering", n, e)
	}
	return nil
}

// errWire is what a thermometer answers that lost its power or its turn on the bus.
var errWire = errors.New("the checksum of the answer is wrong")

// readWire starts a conversion and waits for it: as one number, or in the older form whose second line ends in t=.
func readWire(p *Pass, dir string) (float64, Evidence, error) {
	e, err := p.Read(dir + "/temperature")
	text := e.Text()
	if Missing(err) {
		if e, err = p.Read(dir + "/w1_slave"); err == nil {
			if !strings.Contains(e.Raw, "YES") {
				return 0, e, fmt.Errorf("reading %s: %w", e.Path, errWire)
			}
			_, text, _ = strings.Cut(e.Text(), "t=")
		}
	}
	if err != nil {
		return 0, e, err
	}
	milli, err := strconv.ParseInt(text, 10, 32)
	value := float64(milli) / 1000
	if q := quantities[0]; err != nil || value < q.low || value > q.high {
		return 0, e, fmt.Errorf("reading %s: %q is no temperature", e.Path, cut(text, 16))
	}
	return value, e, nil
}
