package rawjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// chat returns a chat request whose last message brings it to about size bytes. Its text is made of the given line.
func chat(size int, line string) []byte {
	const head = `{"model":"gpt-4o-mini","temperature":0.7,"max_tokens":512,"stream":true,"stream_options":{"include_usage":true},` +
		`"metadata":{"fairlead_task":"support","team":"red"},"tools":[{"type":"function","function":{"name":"get_weather",` +
		`"description":"Current weather of a place.","parameters":{"type":"object","properties":{"city":{"type":"string"},` +
		`"unit":{"type":"string","enum":["c","f"]}},"required":["city"],"additionalProperties":false}}}],"messages":[` +
		`{"role":"system","content":"You help the crew of a harbour. Be brief, and say when you do not know."},` +
		`{"role":"user","content":"What is the weather in Oslo?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1",` +
		`"type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\",\"unit\":\"c\"}"}}]},` +
		`{"role":"tool","tool_call_id":"call_1","content":"{\"temp\":-3.5,\"sky\":\"clear\"}"},{"role":"user","content":"`
	const foot = `"}],"top_p":1,"n":1,"seed":7,"user":"u-19"}`
	n := max(1, (size-len(head)-len(foot))/len(line))
	return []byte(head + strings.Repeat(line, n) + foot)
}

const (
	plainLine = "Lines made fast to the quay run through a fairlead so that they do not chafe on the rail. "
	codeLine  = `\tif line.Chafes(\"rail\") {\n\t\treturn fairlead.Guide(line) // keep it clear\n\t}\n`
	proseLine = `The harbour master’s log says: “all fast — no chafe” and nothing more about it. It was a calm day.\n`
	asiaLine  = `缆绳经导缆器引向码头，以免在船舷上磨损。`
)

var bodies = []struct {
	name string
	body []byte
}{
	{"2KB", chat(2<<10, plainLine)},
	{"60KB", chat(60<<10, plainLine)},
	{"220KB", chat(220<<10, plainLine)},
	{"220KB-code", chat(220<<10, codeLine)},
	{"220KB-quotes", chat(220<<10, proseLine)},
	{"220KB-chinese", chat(220<<10, asiaLine)},
	{"60KB-turns", manyTurns(60 << 10)},
	{"60KB-indented", indented(chat(60<<10, plainLine))},
}

// manyTurns is a long talk in short messages, the opposite of one long string.
func manyTurns(size int) []byte {
	var b []byte
	b = append(b, `{"model":"gpt-4o","messages":[`...)
	for len(b) < size {
		b = append(b, `{"role":"user","content":"And the next one?"},{"role":"assistant","content":"It is at 14:20, pier 3.\nShall I book it?"},`...)
	}
	return append(b, `{"role":"user","content":"Yes."}],"stream":true}`...)
}

func indented(b []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "    "); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func BenchmarkCheck(b *testing.B) {
	for _, c := range bodies {
		b.Run("ours/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Check(c.body, Default()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("reset/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			var d Doc
			for b.Loop() {
				if err := d.Reset(c.body, Default()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("std/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				if !json.Valid(c.body) {
					b.Fatal("not valid")
				}
			}
		})
		b.Run("jsontext/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				if !jsontext.Value(c.body).IsValid() {
					b.Fatal("not valid")
				}
			}
		})
	}
}

func BenchmarkManyNames(b *testing.B) {
	body := namesObject(200_000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Check(body, Default()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	chunk := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18",` +
		`"service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" the"},"logprobs":null,"finish_reason":null}],"usage":null}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Lookup(chunk, "usage"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkGet(b *testing.B) {
	d, err := Check(bodies[2].body, Default())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Get("user"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkEdit(b *testing.B) {
	for _, c := range bodies[:3] {
		d, err := Check(c.body, Default())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := d.Edit()
				e.Set([]byte(`"smollm2:135m"`), "model")
				e.Set([]byte(`true`), "stream_options", "include_usage")
				e.Delete("metadata", "fairlead_task")
				if _, err := e.Apply(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
