package order

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Duration is a length of time, written as 250ms or 1h30m.
type Duration time.Duration

// maxDuration keeps sums of durations away from the end of int64.
const maxDuration = Duration(366 * 24 * time.Hour)

func (d Duration) String() string {
	text := time.Duration(d).String()
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return text
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText refuses what is not above 0 and at most a year.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed <= 0 || Duration(parsed) > maxDuration {
		return fmt.Errorf("%s is not a duration from 1ns to %s: want a text such as 250ms, 60s or 1h30m",
			brief(string(text)), maxDuration)
	}
	*d = Duration(parsed)
	return nil
}

// called reads name(DURATION), such as window(50ms).
func called(name, text string) (Duration, error) {
	inner, ok := strings.CutPrefix(text, name+"(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return 0, fmt.Errorf("is %s", brief(text))
	}
	var d Duration
	err := d.UnmarshalText([]byte(inner))
	return d, err
}

// QoS is a delivery level of MQTT that may be left open; in JSON it is 0 or 1.
type QoS uint8

const (
	QoSOpen     QoS = iota // to be filled by a default
	AtMostOnce             // QoS 0
	AtLeastOnce            // QoS 1
)

// Level is the number on the wire.
func (q QoS) Level() byte {
	if q == AtLeastOnce {
		return 1
	}
	return 0
}

func (q QoS) encode(b []byte) []byte { return append(b, '0'+q.Level()) }

func (q *QoS) decode(t *tree, path string, mistakes *Mistakes) {
	switch {
	case t.kind == number && t.text == "0":
		*q = AtMostOnce
	case t.kind == number && t.text == "1":
		*q = AtLeastOnce
	default:
		mistakes.add(path, "is "+t.describe(), "want 0 or 1")
	}
}

// MarshalJSON gives the number on the wire.
func (q QoS) MarshalJSON() ([]byte, error) { return q.encode(nil), nil }

// Durability is how much of a daemon's work survives: sync, volatile, or window(D), which groups writes for up to D.
// The zero value leaves it to a default.
type Durability struct {
	mode   durabilityMode
	window Duration
}

type durabilityMode uint8

const (
	durabilityOpen durabilityMode = iota
	durabilitySync
	durabilityWindow
	durabilityVolatile
)

// The durabilities without a figure.
var (
	Sync     = Durability{mode: durabilitySync}
	Volatile = Durability{mode: durabilityVolatile}
)

const maxWindow = Duration(10 * time.Second)

// Window is the durability that lets writes wait up to d; it must be above 0 and at most ten seconds.
func Window(d time.Duration) Durability {
	return Durability{mode: durabilityWindow, window: Duration(d)}
}

// IsZero reports whether the durability is left to a default.
func (d Durability) IsZero() bool { return d.mode == durabilityOpen }

// Volatile reports whether nothing survives.
func (d Durability) Volatile() bool { return d.mode == durabilityVolatile }

// Wait is how long a write may wait for others; 0 for sync.
func (d Durability) Wait() time.Duration { return time.Duration(d.window) }

func (d Durability) String() string {
	switch d.mode {
	case durabilitySync:
		return "sync"
	case durabilityWindow:
		return "window(" + d.window.String() + ")"
	case durabilityVolatile:
		return "volatile"
	}
	return ""
}

// MarshalText is String.
func (d Durability) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is its inverse.
func (d *Durability) UnmarshalText(text []byte) error {
	switch string(text) {
	case "sync":
		*d = Sync
		return nil
	case "volatile":
		*d = Volatile
		return nil
	}
	window, err := called("window", string(text))
	if err != nil || window > maxWindow {
		return fmt.Errorf("%s is not a durability: want sync, volatile, or window(D) with D up to %s",
			brief(string(text)), maxWindow)
	}
	*d = Window(time.Duration(window))
	return nil
}

// Reorder holds inputs back for up to a time, so that their numbers come in order; the zero value does not.
type Reorder Duration

// maxReorder bounds how long an input can be held back.
const maxReorder = Duration(time.Minute)

// Hold is how long an input waits for the numbers before it; 0 when it does not.
func (r Reorder) Hold() time.Duration { return time.Duration(r) }

// MarshalText gives hold(D).
func (r Reorder) MarshalText() ([]byte, error) {
	return []byte("hold(" + Duration(r).String() + ")"), nil
}

// UnmarshalText is its inverse.
func (r *Reorder) UnmarshalText(text []byte) error {
	hold, err := called("hold", string(text))
	if err != nil || hold > maxReorder {
		return fmt.Errorf("%s is not an order: want hold(D) with D up to %s", brief(string(text)), maxReorder)
	}
	*r = Reorder(hold)
	return nil
}

// Pointer is a JSON pointer to a field of a payload, such as /seq.
type Pointer string

func (p *Pointer) decode(t *tree, path string, mistakes *Mistakes) {
	const want = `want a JSON pointer such as "/seq"`
	if t.kind != text || len(t.text) > 256 || !strings.HasPrefix(t.text, "/") || !utf8.ValidString(t.text) {
		mistakes.add(path, "is "+t.describe(), want)
		return
	}
	*p = Pointer(t.text)
}
