package gemini

import (
	"strings"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// free are the fields whose value is the client's own and no message of Google's: the
// names in it are left alone. Schemas are among them, since their properties are.
var free = map[string]bool{
	"args": true, "response": true, "labels": true, "partMetadata": true, "parameters": true, "parametersJsonSchema": true,
	"responseSchema": true, "responseJsonSchema": true, "text": true,
}

// camelNames gives a body its fields' names in camelCase. Google takes the names of
// the proto description, generation_config for generationConfig, as well (proto3's
// JSON mapping), and its own examples and some SDKs send them. A body without such
// names is returned as it is.
func camelNames(v rawjson.Value) []byte {
	if !hasSnake(v) {
		return v.Raw()
	}
	return appendCamel(make([]byte, 0, len(v.Raw())), v)
}

func hasSnake(v rawjson.Value) bool {
	for item := range v.Items() {
		if hasSnake(item) {
			return true
		}
	}
	for name, member := range v.Members() {
		if isSnake(name) || !free[string(name)] && hasSnake(member) {
			return true
		}
	}
	return false
}

// isSnake reports whether a name, as it stands in the text, is written with
// underscores, or escaped, which no one does without intent.
func isSnake(name rawjson.Name) bool {
	for i, c := range name {
		if c == '_' && i > 0 || c == '\\' {
			return true
		}
	}
	return false
}

func appendCamel(dst []byte, v rawjson.Value) []byte {
	switch v.Kind() {
	case rawjson.Array:
		dst = append(dst, '[')
		for item := range v.Items() {
			dst = appendCamel(comma(dst, '['), item)
		}
		return append(dst, ']')
	case rawjson.Object:
		dst = append(dst, '{')
		for name, member := range v.Fields() {
			name = camel(name)
			dst = append(rawjson.AppendString(comma(dst, '{'), name), ':')
			if free[name] {
				dst = append(dst, member.Raw()...)
				continue
			}
			dst = appendCamel(dst, member)
		}
		return append(dst, '}')
	}
	return append(dst, v.Raw()...)
}

// comma separates an element from the one before it, if open did not come last.
func comma(dst []byte, open byte) []byte {
	if dst[len(dst)-1] == open {
		return dst
	}
	return append(dst, ',')
}

// camel turns max_output_tokens into maxOutputTokens.
func camel(name string) string {
	if strings.IndexByte(name, '_') < 1 {
		return name
	}
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '_' && i+1 < len(name) {
			if c = name[i+1]; 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			i++
		}
		out = append(out, c)
	}
	return string(out)
}
