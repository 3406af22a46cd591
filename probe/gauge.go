package probe

import (
	"math"
	"strconv"
)

// Gauge is one value that changes all the time, such as a temperature: where to read it again and how.
type Gauge struct {
	Kind  string                                     // temperature, memory, utilisation …
	Name  string                                     // which one, unique within its kind
	Unit  string                                     // celsius, bytes, percent …
	Path  string                                     // where to read it again; empty where a tool said it
	Value float64                                    // what the tool said
	Parse func(text string) (value float64, ok bool) // of the file's trimmed text
}

// Scaled reads a gauge's file as a number and multiplies it.
func Scaled(by float64) func(string) (float64, bool) {
	return func(text string) (float64, bool) {
		n, err := strconv.ParseFloat(text, 64)
		return n * by, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
	}
}
