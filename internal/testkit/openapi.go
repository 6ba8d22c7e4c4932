package testkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Spec is a publisher's API description to hold requests and answers against. Safe for concurrent use.
type Spec struct {
	paths map[string]any

	mu       sync.Mutex // guards the compiler and what it compiled
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

var loaded = struct {
	sync.Mutex
	specs map[string]*Spec
}{specs: map[string]*Spec{}}

// OpenAISpec loads OpenAI's API description from the shared test data, once per process, and skips where it is absent.
func OpenAISpec(t testing.TB) *Spec {
	t.Helper()
	return loadSpec(t, "openai.openapi.json", amend)
}

// PublishedSpec loads another publisher's API description likewise: a JSON or YAML file in the folder specs, as it is.
func PublishedSpec(t testing.TB, file string) *Spec {
	t.Helper()
	return loadSpec(t, file, func(map[string]any) error { return nil })
}

func loadSpec(t testing.TB, file string, amend func(schemas map[string]any) error) *Spec {
	t.Helper()
	path := filepath.Join(DataDir(t), "specs", file)
	loaded.Lock()
	defer loaded.Unlock()
	if spec, ok := loaded.specs[path]; ok {
		return spec
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("no API description %s in the shared test data: %v", file, err)
	}
	if strings.HasSuffix(file, ".yaml") {
		if raw, err = yaml.YAMLToJSON(raw); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	spec, err := newSpec(raw, amend)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	loaded.specs[path] = spec
	return spec
}

func newSpec(raw []byte, amend func(schemas map[string]any) error) (*Spec, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	document, _ := parsed.(map[string]any)
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	paths, _ := document["paths"].(map[string]any)
	if schemas == nil || paths == nil {
		return nil, errors.New("it has no components.schemas or no paths")
	}
	for name, schema := range schemas {
		schemas[name] = modern(schema, name)
	}
	if err := amend(schemas); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(location, map[string]any{"components": map[string]any{"schemas": schemas}}); err != nil {
		return nil, err
	}
	return &Spec{paths: paths, compiler: compiler, compiled: map[string]*jsonschema.Schema{}}, nil
}

const (
	location        = "https://spec.invalid/openapi.json"
	completionChunk = "FairleadCompletionChunk"
)

// modern turns the dialects of several OpenAPI versions that the description mixes into JSON Schema 2020-12: nullable,
// boolean exclusive bounds, $recursiveRef. Words that do not judge are left out.
func modern(node any, component string) any {
	schema, ok := node.(map[string]any)
	if !ok {
		return node
	}
	out := map[string]any{}
	for key, value := range schema {
		switch key {
		case "nullable", "discriminator", "example", "examples", "default", "description", "title", "deprecated":
		case "$recursiveRef":
			out["$ref"] = "#/components/schemas/" + component
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
			named, _ := value.(map[string]any)
			inner := map[string]any{}
			for name, property := range named {
				inner[name] = modern(property, component)
			}
			out[key] = inner
		case "anyOf", "oneOf", "allOf", "prefixItems":
			list, _ := value.([]any)
			inner := make([]any, len(list))
			for i := range list {
				inner[i] = modern(list[i], component)
			}
			out[key] = inner
		case "items", "additionalProperties", "propertyNames", "not", "if", "then", "else", "contains":
			out[key] = modern(value, component)
		case "exclusiveMinimum", "exclusiveMaximum":
			bound := map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}[key]
			if strict, ok := value.(bool); !ok {
				out[key] = value
			} else if strict {
				out[key] = schema[bound]
			}
		default:
			if !strings.HasPrefix(key, "x-") && !strings.HasPrefix(key, "$recursive") {
				out[key] = value
			}
		}
	}
	if schema["nullable"] == true {
		return map[string]any{"anyOf": []any{out, map[string]any{"type": "null"}}}
	}
	return out
}

// amend states what OpenAI's servers do and its description leaves out:
//   - embeddings come as a base64 string when encoding_format asks for it;
//   - a streamed completion has finish_reason null until the end, and usage null when usage was asked for;
//   - a message of several parts fits two of the kinds of input items, which are not told apart by anything.
func amend(schemas map[string]any) error {
	embedding, err := dig(schemas, "Embedding", "properties")
	if err != nil {
		return err
	}
	embedding["embedding"] = either(embedding["embedding"], map[string]any{"type": "string", "minLength": json.Number("4")})

	if item, err := dig(schemas, "InputItem"); err == nil && item["oneOf"] != nil {
		item["anyOf"] = item["oneOf"]
		delete(item, "oneOf")
	}

	whole, _ := schemas["CreateCompletionResponse"].(map[string]any)
	chunk, _ := deepCopy(whole).(map[string]any)
	properties, err := dig(chunk, "properties")
	if err != nil {
		return err
	}
	choice, err := dig(properties, "choices", "items", "properties")
	if err != nil {
		return err
	}
	choice["finish_reason"] = either(choice["finish_reason"], map[string]any{"type": "null"})
	properties["usage"] = either(properties["usage"], map[string]any{"type": "null"})
	schemas[completionChunk] = chunk
	return nil
}

func either(schemas ...any) any { return map[string]any{"anyOf": schemas} }

func dig(node map[string]any, steps ...string) (map[string]any, error) {
	for _, step := range steps {
		inner, ok := node[step].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the description has no %s where it is expected", strings.Join(steps, "."))
		}
		node = inner
	}
	return node, nil
}

func deepCopy(node any) any {
	switch value := node.(type) {
	case map[string]any:
		out := maps.Clone(value)
		for key := range out {
			out[key] = deepCopy(out[key])
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = deepCopy(value[i])
		}
		return out
	}
	return node
}

// ValidateRequest holds a request body against the description. The path is with or without /v1 in front.
func (s *Spec) ValidateRequest(path string, body []byte) error {
	operation, err := s.operation(path)
	if err != nil {
		return err
	}
	ref, err := contentRef(operation["requestBody"], "application/json")
	if err != nil {
		return fmt.Errorf("%s takes no body: %w", path, err)
	}
	return s.validate(ref, body)
}

// ValidateResponse holds the body of a plain answer with status 200 against the description.
func (s *Spec) ValidateResponse(path string, body []byte) error {
	ref, err := s.answerRef(path, "application/json")
	if err != nil {
		return err
	}
	return s.validate(ref, body)
}

// ValidateChunk holds the data of one event of a streamed answer against the description.
func (s *Spec) ValidateChunk(path string, data []byte) error {
	if strings.TrimPrefix(path, "/v1") == "/completions" {
		return s.validate("#/components/schemas/"+completionChunk, data)
	}
	ref, err := s.answerRef(path, "text/event-stream")
	if err != nil {
		return err
	}
	return s.validate(ref, data)
}

// ValidateLine holds one line of an answer that is streamed as newline-delimited JSON against the description.
func (s *Spec) ValidateLine(path string, line []byte) error {
	ref, err := s.answerRef(path, "application/x-ndjson")
	if err != nil {
		return err
	}
	return s.validate(ref, line)
}

// ValidateError holds the body of an error answer against the description.
func (s *Spec) ValidateError(body []byte) error {
	return s.validate("#/components/schemas/ErrorResponse", body)
}

// ValidateStream holds every event of a streamed answer against the description and demands [DONE] at the end.
func (s *Spec) ValidateStream(path string, raw []byte) error {
	events := EventData(raw)
	if len(events) == 0 || string(events[len(events)-1]) != "[DONE]" {
		return fmt.Errorf("the stream has %d events and does not end in [DONE]", len(events))
	}
	for i, data := range events[:len(events)-1] {
		if err := s.ValidateChunk(path, data); err != nil {
			return fmt.Errorf("event %d, %.200s: %w", i, data, err)
		}
	}
	return nil
}

// EventData returns the data of each event in a whole text/event-stream body, the last one too if it is unfinished.
// It is a second, simple reader, so that the product's own cannot be its own judge.
func EventData(raw []byte) [][]byte {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(raw))
	var events [][]byte
	for block := range strings.SplitSeq(text, "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(block, "\n") {
			if value, ok := strings.CutPrefix(line, "data:"); ok {
				lines = append(lines, strings.TrimPrefix(value, " "))
			}
		}
		if lines != nil {
			events = append(events, []byte(strings.Join(lines, "\n")))
		}
	}
	return events
}

// operation finds what a path does: its POST, else its GET.
func (s *Spec) operation(path string) (map[string]any, error) {
	path = strings.TrimPrefix(path, "/v1")
	item, ok := s.paths[path].(map[string]any)
	for template, candidate := range s.paths {
		if !ok && fits(template, path) {
			item, _ = candidate.(map[string]any)
		}
	}
	for _, method := range []string{"post", "get"} {
		if operation, ok := item[method].(map[string]any); ok {
			return operation, nil
		}
	}
	return nil, fmt.Errorf("the description has no path %s", path)
}

func fits(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

func (s *Spec) answerRef(path, kind string) (string, error) {
	operation, err := s.operation(path)
	if err != nil {
		return "", err
	}
	responses, err := dig(operation, "responses")
	if err != nil {
		return "", err
	}
	return contentRef(responses["200"], kind)
}

func contentRef(holder any, kind string) (string, error) {
	node, _ := holder.(map[string]any)
	schema, err := dig(node, "content", kind, "schema")
	if err != nil {
		return "", fmt.Errorf("%s: %w", kind, err)
	}
	ref, ok := schema["$ref"].(string)
	if !ok {
		return "", errors.New("the schema has no name")
	}
	return ref, nil
}

func (s *Spec) validate(ref string, body []byte) error {
	schema, err := s.schema(ref)
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return schema.Validate(instance)
}

func (s *Spec) schema(ref string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema, ok := s.compiled[ref]; ok {
		return schema, nil
	}
	schema, err := s.compiler.Compile(location + ref)
	if err != nil {
		return nil, fmt.Errorf("the description's schema %s does not compile: %w", ref, err)
	}
	s.compiled[ref] = schema
	return schema, nil
}
