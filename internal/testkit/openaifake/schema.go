package openaifake

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxSchemaDepth bounds recursion in a schema that refers to itself.
const maxSchemaDepth = 16

// Instance returns the smallest valid value of a JSON Schema in the subset that OpenAI accepts for structured output:
// objects, arrays, enum, const, anyOf, local $ref, and the simple bounds. Properties keep the order of their names.
func Instance(schema json.RawMessage) json.RawMessage {
	var root any
	if len(schema) == 0 || json.Unmarshal(schema, &root) != nil {
		return json.RawMessage(`{}`)
	}
	return encode(instance(root, root, 0))
}

func instance(root, node any, depth int) any {
	s, ok := node.(map[string]any)
	if !ok || depth > maxSchemaDepth {
		return nil
	}
	if ref, ok := s["$ref"].(string); ok {
		return instance(root, pointed(root, ref), depth+1)
	}
	if value, ok := s["const"]; ok {
		return value
	}
	if values, ok := s["enum"].([]any); ok && len(values) > 0 {
		return values[0]
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if options, ok := s[key].([]any); ok && len(options) > 0 {
			return instance(root, options[0], depth+1)
		}
	}
	return ofType(root, s, depth)
}

func ofType(root any, s map[string]any, depth int) any {
	switch typeOf(s) {
	case "object":
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		out := map[string]any{}
		for name, property := range properties {
			if slices.Contains(required, any(name)) {
				out[name] = instance(root, property, depth+1)
			}
		}
		return out
	case "array":
		out := []any{}
		for range int(math.Max(number(s, "minItems", 1), 0)) {
			out = append(out, instance(root, s["items"], depth+1))
		}
		return out
	case "integer", "number":
		return math.Min(math.Max(7, number(s, "minimum", 7)), number(s, "maximum", math.MaxFloat64))
	case "boolean":
		return true
	case "null":
		return nil
	default:
		return textOf(s)
	}
}

func typeOf(s map[string]any) string {
	switch kind := s["type"].(type) {
	case string:
		return kind
	case []any:
		first, _ := kind[0].(string)
		return first
	}
	if _, ok := s["properties"]; ok {
		return "object"
	}
	return "string"
}

func textOf(s map[string]any) string {
	text := map[string]string{
		"date": "2026-01-02", "date-time": "2026-01-02T03:04:05Z", "time": "03:04:05Z", "email": "a@example.org",
		"uuid": "00000000-0000-4000-8000-000000000000", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
		"hostname": "example.org", "duration": "P1D",
	}[fmt.Sprint(s["format"])]
	if text == "" {
		text = "Paris"
	}
	if short := int(number(s, "minLength", 0)) - len(text); short > 0 {
		text += strings.Repeat("x", short)
	}
	if most := int(number(s, "maxLength", 1<<20)); len(text) > most {
		text = text[:most]
	}
	return text
}

func number(s map[string]any, key string, otherwise float64) float64 {
	if value, ok := s[key].(float64); ok {
		return value
	}
	return otherwise
}

func pointed(root any, ref string) any {
	node := root
	for step := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
		if step == "" {
			continue
		}
		inner, _ := node.(map[string]any)
		node = inner[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return node
}
