package order

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
)

// encoder is the counterpart of decoder.
type encoder interface{ encode(b []byte) []byte }

// encode writes v in canonical form: fields in the order of their type, then the unknown ones by name.
func encode(b []byte, path string, v reflect.Value, mistakes *Mistakes) []byte {
	switch value := v.Interface().(type) {
	case encoder:
		return value.encode(b)
	case json.RawMessage:
		return encodeRaw(b, path, value, mistakes)
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			mistakes.add(path, "is wrong", err.Error())
		}
		return appendText(b, string(text))
	}
	switch v.Kind() {
	case reflect.Struct:
		b = append(b, '{')
		b = encodeFields(b, path, v, mistakes)
		return append(b, '}')
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return encode(b, path, v.Elem(), mistakes)
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = encode(b, element(path, i), v.Index(i), mistakes)
		}
		return append(b, ']')
	case reflect.Map:
		return encodeMap(b, path, v, mistakes)
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > MaxNumber {
			mistakes.add(path, fmt.Sprintf("is %d", v.Uint()), fmt.Sprintf("want at most %d", uint64(MaxNumber)))
		}
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			mistakes.add(path, fmt.Sprintf("is %v", v.Float()), "want a finite number")
		}
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	}
	panic("order: no JSON form for " + v.Type().String())
}

// encodeFields continues an object that b has opened, and leaves it open.
func encodeFields(b []byte, path string, v reflect.Value, mistakes *Mistakes) []byte {
	for _, f := range fieldsOf(v.Type()) {
		value := v.Field(f.index)
		if f.omitzero && isZero(value) {
			continue
		}
		b = append(appendText(separate(b), f.name), ':')
		b = encode(b, field(path, f.name), value, mistakes)
	}
	if unknown := v.FieldByName("Unknown"); unknown.IsValid() {
		fields := unknown.Interface().(Unknown).fields
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			b = append(appendText(separate(b), name), ':')
			b = append(b, fields[name]...)
		}
	}
	return b
}

func encodeMap(b []byte, path string, v reflect.Value, mistakes *Mistakes) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int {
		if x.String() < y.String() {
			return -1
		}
		return 1
	})
	b = append(b, '{')
	for _, key := range keys {
		b = append(appendText(separate(b), key.String()), ':')
		b = encode(b, field(path, key.String()), v.MapIndex(key), mistakes)
	}
	return append(b, '}')
}

func encodeRaw(b []byte, path string, raw json.RawMessage, mistakes *Mistakes) []byte {
	if len(raw) == 0 {
		return append(b, "{}"...)
	}
	var inner Mistakes
	t := parseTree(raw, &inner)
	if len(inner) > 0 {
		mistakes.add(path, "is wrong", inner.Error())
		return append(b, "null"...)
	}
	return t.append(b)
}

// separate puts a comma behind what an object already has.
func separate(b []byte) []byte {
	if b[len(b)-1] == '{' {
		return b
	}
	return append(b, ',')
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}
