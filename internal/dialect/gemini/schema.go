package gemini

import (
	"strings"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// jsonSchema turns a schema in this dialect's older words, a subset of OpenAPI 3.0's
// Schema object (https://ai.google.dev/api/caching#Schema), into JSON Schema: types
// in lower case, null as a type, counts as numbers.
func jsonSchema(raw []byte) []byte {
	v, ok := rawjson.Lookup(raw)
	if !ok || v.Kind() != rawjson.Object {
		return raw
	}
	return appendSchema(nil, v)
}

func appendSchema(dst []byte, v rawjson.Value) []byte {
	if v.Kind() != rawjson.Object {
		return append(dst, v.Raw()...)
	}
	nullable, _ := v.Get("nullable")
	orNull, _ := nullable.Bool()
	dst = append(dst, '{')
	for name, member := range v.Fields() {
		name = camel(name)
		switch name {
		case "nullable", "propertyOrdering":
			continue // said by the type; and JSON Schema has no order
		case "example":
			dst = append(comma(dst, '{'), `"examples":[`...)
			dst = append(append(dst, member.Raw()...), ']')
			continue
		}
		dst = append(rawjson.AppendString(comma(dst, '{'), name), ':')
		dst = appendKeyword(dst, name, member, orNull)
	}
	return append(dst, '}')
}

func appendKeyword(dst []byte, name string, v rawjson.Value, orNull bool) []byte {
	switch name {
	case "type":
		word, ok := v.Str()
		if !ok {
			break
		}
		kind := rawjson.AppendString(nil, strings.ToLower(word))
		if orNull {
			return append(append(append(dst, '['), kind...), `,"null"]`...)
		}
		return append(dst, kind...)
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		if text, ok := v.Str(); ok && isDigits(text) { // proto3 writes 64-bit numbers as strings
			return append(dst, text...)
		}
	case "items", "additionalProperties":
		return appendSchema(dst, v)
	case "anyOf", "prefixItems":
		dst = append(dst, '[')
		for item := range v.Items() {
			dst = appendSchema(comma(dst, '['), item)
		}
		return append(dst, ']')
	case "properties", "defs":
		dst = append(dst, '{')
		for property, schema := range v.Fields() {
			dst = append(rawjson.AppendString(comma(dst, '{'), property), ':')
			dst = appendSchema(dst, schema)
		}
		return append(dst, '}')
	}
	return append(dst, v.Raw()...)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}
