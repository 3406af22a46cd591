package order

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder is a value that reads itself, where one form in Go has several in JSON.
type decoder interface {
	decode(t *tree, path string, mistakes *Mistakes)
}

// word is a text out of a few.
type word interface{ words() []string }

var unknownType = reflect.TypeFor[Unknown]()

// describe says what the value is, for a mistake.
func (t *tree) describe() string {
	switch t.kind {
	case number:
		return t.text[:min(len(t.text), 32)]
	case text:
		return brief(t.text)
	}
	return t.kind.String()
}

// decode reads t into v; null is the same as nothing.
func decode(t *tree, path string, v reflect.Value, mistakes *Mistakes) {
	if t.kind == null {
		return
	}
	switch p := v.Addr().Interface().(type) {
	case decoder:
		p.decode(t, path, mistakes)
		return
	case *json.RawMessage:
		*p = t.append(nil)
		return
	case encoding.TextUnmarshaler:
		if t.kind != text {
			mistakes.add(path, "is "+t.describe(), "want a text in quotes")
		} else if err := p.UnmarshalText([]byte(t.text)); err != nil {
			mistakes.add(path, "is wrong", err.Error())
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		decodeFields(t, path, v, mistakes)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		decode(t, path, v.Elem(), mistakes)
	case reflect.Slice:
		decodeList(t, path, v, mistakes)
	case reflect.Map:
		decodeMap(t, path, v, mistakes)
	case reflect.String:
		decodeText(t, path, v, mistakes)
	case reflect.Bool:
		if t.kind != truth && t.kind != lie {
			mistakes.add(path, "is "+t.describe(), "want true or false")
		}
		v.SetBool(t.kind == truth)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		decodeWhole(t, path, v, mistakes)
	case reflect.Float64:
		n, err := strconv.ParseFloat(t.text, 64)
		if t.kind != number || err != nil || math.IsInf(n, 0) {
			mistakes.add(path, "is "+t.describe(), "want a number such as 0.5")
			return
		}
		v.SetFloat(n)
	default:
		panic("order: no JSON form for " + v.Type().String())
	}
}

func decodeFields(t *tree, path string, v reflect.Value, mistakes *Mistakes) {
	if t.kind != object {
		mistakes.add(path, "is "+t.describe(), "want an object: {…}")
		return
	}
	fields := fieldsOf(v.Type())
	for i, name := range t.names {
		if at := slices.IndexFunc(fields, func(f fieldInfo) bool { return f.name == name }); at >= 0 {
			decode(t.parts[i], field(path, name), v.Field(fields[at].index), mistakes)
			continue
		}
		unknown := v.FieldByName("Unknown")
		if !unknown.IsValid() {
			mistakes.add(field(path, name), "is not known here", "want one of "+names(fields))
			continue
		}
		u := unknown.Addr().Interface().(*Unknown)
		if u.fields == nil {
			u.fields = map[string]json.RawMessage{}
		}
		u.fields[name] = t.parts[i].append(nil)
	}
}

func decodeList(t *tree, path string, v reflect.Value, mistakes *Mistakes) {
	if t.kind != list {
		mistakes.add(path, "is "+t.describe(), "want a list: […]")
		return
	}
	if len(t.parts) > maxList {
		mistakes.add(path, fmt.Sprintf("has %d entries", len(t.parts)), fmt.Sprintf("want at most %d", maxList))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(t.parts), len(t.parts)))
	for i, part := range t.parts {
		if part.kind == null {
			mistakes.add(element(path, i), "is null", "leave the entry out")
		}
		decode(part, element(path, i), v.Index(i), mistakes)
	}
}

func decodeMap(t *tree, path string, v reflect.Value, mistakes *Mistakes) {
	if t.kind != object {
		mistakes.add(path, "is "+t.describe(), "want an object: {…}")
		return
	}
	if len(t.parts) > maxList {
		mistakes.add(path, fmt.Sprintf("has %d entries", len(t.parts)), fmt.Sprintf("want at most %d", maxList))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i, name := range t.names {
		entry := reflect.New(v.Type().Elem()).Elem()
		decode(t.parts[i], field(path, name), entry, mistakes)
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), entry)
	}
}

func decodeText(t *tree, path string, v reflect.Value, mistakes *Mistakes) {
	switch {
	case t.kind != text:
		want := "want a text in quotes"
		if w, ok := v.Interface().(word); ok {
			want = "want " + orList(w.words())
		}
		mistakes.add(path, "is "+t.describe(), want)
	case len(t.text) > maxText:
		mistakes.add(path, fmt.Sprintf("has %d bytes", len(t.text)), fmt.Sprintf("want at most %d", maxText))
	default:
		v.SetString(t.text)
		if w, ok := v.Interface().(word); ok && !slices.Contains(w.words(), t.text) {
			mistakes.add(path, "is "+brief(t.text), "want "+orList(w.words()))
		}
	}
}

func decodeWhole(t *tree, path string, v reflect.Value, mistakes *Mistakes) {
	limit := uint64(MaxNumber)
	if bits := v.Type().Bits(); bits < 53 {
		limit = 1<<bits - 1
	}
	n, err := strconv.ParseUint(t.text, 10, 64)
	if t.kind != number || err != nil || n > limit {
		mistakes.add(path, "is "+t.describe(), fmt.Sprintf("want a whole number from 0 to %d", limit))
		return
	}
	v.SetUint(n)
}

// fieldInfo is one field of a part of a document.
type fieldInfo struct {
	name     string
	index    int
	omitzero bool
}

func fieldsOf(t reflect.Type) []fieldInfo {
	fields := make([]fieldInfo, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == unknownType || !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, fieldInfo{name: name, index: i, omitzero: options == "omitzero"})
	}
	return fields
}

func names(fields []fieldInfo) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return orList(all)
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// decodeInto reads the fields of an object into the struct that p points to.
func decodeInto(t *tree, path string, p any, mistakes *Mistakes) {
	decodeFields(t, path, reflect.ValueOf(p).Elem(), mistakes)
}
