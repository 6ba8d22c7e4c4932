package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
	"time"
)

// Head is what stands at the top of a schema.
type Head struct{ ID, Title, Description string }

// Schema is the JSON Schema (draft 2020-12) of the texts that Decode reads into
// the struct that defaults points at; the values in it are shown as defaults.
//
// It is a little wider than Decode: that a name exists, or a file can be read, only
// the program knows.
func Schema(defaults any, head Head) ([]byte, error) {
	s := ofType(reflect.ValueOf(defaults).Elem(), field{})
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"], s["title"], s["description"] = head.ID, head.Title, head.Description
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // patterns are easier to read with their own < and >
	enc.SetIndent("", "  ")
	err := enc.Encode(s)
	return out.Bytes(), err
}

// ofType is the schema of a type; v holds the defaults, or zero values.
func ofType(v reflect.Value, f field) map[string]any {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		return ofType(reflect.New(t.Elem()).Elem(), f)
	}
	if form, ok := formOf(t, f); ok {
		return ofScalar(v, f, form)
	}
	switch {
	case t.Kind() == reflect.Struct:
		return ofStruct(v)
	case isEntries(t):
		return ofEntries(t.Elem())
	}
	return map[string]any{"type": "array", "items": ofType(reflect.New(t.Elem()).Elem(), f)}
}

func ofScalar(v reflect.Value, f field, form Form) map[string]any {
	s := map[string]any{}
	maps.Copy(s, form.Schema)
	if f.enum != nil {
		s = map[string]any{"type": "string", "enum": f.enum}
	}
	if f.pattern != nil {
		s["pattern"] = f.pattern.String()
	}
	if f.min != "" && s["type"] == "integer" {
		s["minimum"], s["maximum"] = bound(f.min), bound(f.max)
	}
	if value, ok := shownDefault(v); ok {
		s["default"] = value
	}
	return s
}

func ofStruct(v reflect.Value) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range fieldsOf(v.Type()) {
		p := ofType(v.Field(f.index), f)
		p["description"] = f.doc
		properties[f.name] = p
		if f.required != "" {
			required = append(required, f.name)
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func ofEntries(elem reflect.Type) map[string]any {
	name, value := entryFields(elem)
	entry := reflect.New(elem).Elem()
	s := map[string]any{"type": "object"}
	if value.index >= 0 {
		s["additionalProperties"] = ofType(entry.Field(value.index), value)
	} else {
		s["additionalProperties"] = ofStruct(entry)
	}
	if name.pattern != nil {
		s["propertyNames"] = map[string]any{"pattern": name.pattern.String()}
	}
	return s
}

// shownDefault is a value as the file would write it; ok is false for zero values.
func shownDefault(v reflect.Value) (any, bool) {
	if v.IsZero() {
		return nil, false
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return Duration(x), true
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		return string(text), err == nil
	}
	return v.Interface(), true
}

// Duration is the shortest form of a duration: "5m", not "5m0s".
func Duration(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}
