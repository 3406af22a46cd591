package mesh

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Sample is one reading of this machine: the payload of an event with the trigger Reading, whose topic is Topic. As
// JSON it is {"sensor":"hwmon0/temp1","value":41.5,"unit":"C","kind":"temperature"}.
type Sample struct {
	Sensor string
	Value  float64
	Unit   string
	Kind   string
}

// Topic is machine/KIND/SENSOR.
func (s *Sample) Topic() string { return "machine/" + s.Kind + "/" + s.Sensor }

// Append adds the JSON of the sample to b; a value that is no number becomes null.
func (s *Sample) Append(b []byte) []byte {
	b = AppendJSONText(append(b, `{"sensor":`...), s.Sensor)
	b = AppendJSONNumber(append(b, `,"value":`...), s.Value)
	b = AppendJSONText(append(b, `,"unit":`...), s.Unit)
	b = AppendJSONText(append(b, `,"kind":`...), s.Kind)
	return append(b, '}')
}

// ParseSample reads the JSON of a sample.
func ParseSample(b []byte) (Sample, error) {
	var fields struct {
		Sensor string
		Value  *float64
		Unit   string
		Kind   string
	}
	if err := json.Unmarshal(b, &fields); err != nil {
		return Sample{}, fmt.Errorf("sample: %w", err)
	}
	if fields.Value == nil {
		return Sample{}, fmt.Errorf("sample of sensor %q: no value", fields.Sensor)
	}
	return Sample{Sensor: fields.Sensor, Value: *fields.Value, Unit: fields.Unit, Kind: fields.Kind}, nil
}

// AppendJSONNumber adds a number as JSON to b, in the fewest digits that give it back; NaN and the infinities, which
// JSON has not, become null.
func AppendJSONNumber(b []byte, n float64) []byte {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return append(b, "null"...)
	}
	format := byte('f')
	if size := math.Abs(n); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, n, format, -1, 64)
}

// AppendJSONText adds a text as a JSON string to b; bytes that are not UTF-8 become U+FFFD.
func AppendJSONText[T ~string | ~[]byte](b []byte, s T) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			b = utf8.AppendRune(b, r)
			i += size
			continue
		}
		i++
	}
	return append(b, '"')
}
