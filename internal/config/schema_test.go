package config_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fairlead/fairlead/internal/config"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("fairlead.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("fairlead.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate holds a YAML text against the schema, as an editor does.
func validate(t *testing.T, s *jsonschema.Schema, text string, want bool) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); (err == nil) != want {
		t.Errorf("valid = %t, want %t: %v\n%s", err == nil, want, err, text)
	}
}

func TestSchema_AgreesWithTheLoader(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	good := []string{
		shortest, withSecrets, "{}",
		"limits: { body: 32 MiB, event: 1048576, drain: 1m30s }",
		"targets: { a: { provider: ollama, model: m, price: { input: 3, output: \"3 >200000:6\" }, headers: { x-a: b }, abilities: { add: [vision] } } }",
		"keys: [ { name: a, secret: b, scopes: [admin], expires: 2027-01-31T12:00:00Z, budget: { usd: \"2.50\", per: 12h } } ]",
	}
	for _, text := range good {
		validate(t, s, text, true)
		mustParse(t, text)
	}
	bad := []string{
		"target: {}", "listen: 8080", "targets: []", "targets: { a: {} }", "targets: { a b: { provider: ollama, model: m } }",
		"targets: { a: { provider: ollama, model: m, retry: { attempts: 0 } } }",
		"targets: { a: { provider: ollama, model: m, route: learn } }",
		"models: { a: {} }", "record: always", "limits: { drain: 30 }", "limits: { requests: 0 }", "limits: { body: lots }",
		"keys: [ { name: a } ]", "keys: [ { name: a, secret: b, scopes: [root] } ]", "keys: [ { name: a, secret: b, budget: { usd: 1, per: week } } ]",
		"keys: [ { name: a, secret: b, expires: tomorrow } ]", "log: { level: loud }", "cors: { origins: x }",
	}
	for _, text := range bad {
		validate(t, s, text, false)
		if _, err := parse(t, text); err == nil {
			t.Errorf("it loads:\n%s", text)
		}
	}
}

// TestSchema_DescribesEverySetting walks the Go types: each setting is in the
// schema, with a description.
func TestSchema_DescribesEverySetting(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema = %v", schema["$schema"])
	}
	if n := walk(t, reflect.TypeFor[config.Config](), schema, "config"); n < 60 {
		t.Errorf("only %d settings were seen", n)
	}
}

func walk(t *testing.T, typ reflect.Type, schema map[string]any, path string) (seen int) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice {
			inner, ok := schema["items"].(map[string]any)
			if !ok {
				inner, _ = schema["additionalProperties"].(map[string]any)
			}
			schema = inner
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return 0
	}
	properties, _ := schema["properties"].(map[string]any)
	for f := range typ.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" || name == "-" || strings.HasPrefix(name, ",") {
			continue
		}
		seen++
		setting, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("%s.%s is not in the schema", path, name)
			continue
		}
		if d, _ := setting["description"].(string); len(d) < 10 || !strings.HasSuffix(d, ".") {
			t.Errorf("%s.%s has the description %q: write a sentence", path, name, d)
		}
		seen += walk(t, f.Type, setting, path+"."+name)
	}
	return seen
}
