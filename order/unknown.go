package order

import (
	"maps"
	"reflect"
	"slices"
)

// Stranger is a field that this version does not know, and those it knows in its place.
type Stranger struct {
	Path  string
	Name  string
	Known []string
}

// Strangers lists the fields of a document, or of a part of one, that this version does not know.
func Strangers(part any) []Stranger {
	v := reflect.ValueOf(part)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return strangers("", v, nil)
}

func strangers(path string, v reflect.Value, found []Stranger) []Stranger {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return strangers(path, v.Elem(), found)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				found = strangers(element(path, i), v.Index(i), found)
			}
		}
	case reflect.Struct:
		unknown := v.FieldByName("Unknown")
		if !unknown.IsValid() {
			return found
		}
		fields := fieldsOf(v.Type())
		known := make([]string, len(fields))
		for i, f := range fields {
			known[i] = f.name
		}
		for _, name := range slices.Sorted(maps.Keys(unknown.Interface().(Unknown).fields)) {
			found = append(found, Stranger{Path: field(path, name), Name: name, Known: known})
		}
		for _, f := range fields {
			found = strangers(field(path, f.name), v.Field(f.index), found)
		}
	}
	return found
}
