package strict

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
)

// Show writes a struct as the YAML that Decode reads. Settings with a zero value
// are left out. A type with a method Reference() string is written by that.
func Show(v any) ([]byte, error) {
	return yaml.MarshalWithOptions(plain(reflect.ValueOf(v)), yaml.IndentSequence(true))
}

// Canonical writes the same as JSON whose bytes do not depend on the order of
// names, for hashing.
func Canonical(v any) ([]byte, error) { return json.Marshal(unordered(plain(reflect.ValueOf(v)))) }

// plain turns settings into mappings, lists and scalars; nil for a zero value.
func plain(v reflect.Value) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.IsZero() {
		return nil
	}
	if _, ok := formOf(v.Type(), field{}); ok {
		return plainScalar(v)
	}
	switch {
	case v.Kind() == reflect.Struct:
		return plainStruct(v)
	case isEntries(v.Type()):
		return plainEntries(v)
	}
	list := make([]any, v.Len())
	for i := range list {
		list[i] = plain(v.Index(i))
	}
	return list
}

func plainScalar(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case interface{ Reference() string }:
		return x.Reference()
	case time.Duration:
		return Duration(x)
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return string(text)
		}
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return v.Interface()
}

func plainStruct(v reflect.Value) any {
	out := yaml.MapSlice{}
	for _, f := range fieldsOf(v.Type()) {
		if value := plain(v.Field(f.index)); !isEmpty(value) {
			out = append(out, yaml.MapItem{Key: f.name, Value: value})
		}
	}
	return out
}

func plainEntries(v reflect.Value) any {
	name, value := entryFields(v.Type().Elem())
	out := yaml.MapSlice{}
	for i := range v.Len() {
		entry := v.Index(i)
		item := yaml.MapItem{Key: entry.Field(name.index).String()}
		if value.index >= 0 {
			item.Value = plain(entry.Field(value.index))
		} else {
			item.Value = plainStruct(entry)
		}
		out = append(out, item)
	}
	return out
}

func isEmpty(v any) bool {
	m, ok := v.(yaml.MapSlice)
	return v == nil || ok && len(m) == 0
}

func unordered(v any) any {
	switch x := v.(type) {
	case yaml.MapSlice:
		out := make(map[string]any, len(x))
		for _, item := range x {
			out[fmt.Sprint(item.Key)] = unordered(item.Value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = unordered(x[i])
		}
		return out
	}
	return v
}
