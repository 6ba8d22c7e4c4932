package enginetests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/engine/enginetest"
)

// question has a system prompt and a turn of the assistant's, so that an engine that
// counts the same tokens was told the same things in the same order.
var question = ask{
	system: "You answer briefly.",
	turns:  []string{"Hello!", "Hello.", "Name three colors."},
	most:   32,
}

func (a ask) streamed() ask       { a.stream = true; return a }
func (a ask) atMost(n int) ask    { a.most = n; return a }
func (a ask) until(s string) ask  { a.stop = s; return a }
func (a ask) shaped(s string) ask { a.schema = s; return a }

const numberSchema = `{"type":"object","properties":{"colors":{"type":"integer","minimum":0,"maximum":9}},"required":["colors"],"additionalProperties":false}`

// surface is a dialect as llama.cpp's server speaks it, and what it does not do there.
// Each gap is asserted, so that a server that closes one is noticed here.
type surface struct {
	dialect string
	direct  client
	// noLength: an answer that reached its limit is said to be complete. The server sets
	// "status":"completed" on every response.
	noLength bool
	// least is how many tokens Fairlead asks for when a client of another dialect asks for fewer: OpenAI's
	// Responses refuses less than 16. It is reported as a loss.
	least int
	// noStop: stop sequences cannot be asked for. OpenAI's Responses has no field for them.
	noStop bool
	// noSchema: text.format and output_config are not looked at; only Chat's
	// response_format becomes a grammar.
	noSchema bool
}

var surfaces = []surface{
	{dialect: "openai-chat", direct: chatClient},
	{dialect: "openai-responses", direct: responsesClient, noLength: true, least: 16, noStop: true, noSchema: true},
	{dialect: "anthropic", direct: anthropicClient, noSchema: true},
}

// target is the name of the target that is spoken to in a dialect.
func target(s surface) string { return "to-" + s.dialect }

func fairleadBefore(t testing.TB, engine server) server {
	t.Helper()
	var b strings.Builder
	b.WriteString("targets:\n")
	line := func(name, rest string) {
		fmt.Fprintf(&b, "  %s: { provider: llamacpp, base_url: %q, key: %s, model: any%s }\n", name, engine.url+"/v1", engine.key, rest)
	}
	for _, s := range surfaces {
		line(target(s), ", dialect: "+s.dialect)
	}
	line("own", "") // whatever the client speaks, where the engine does
	return startFairlead(t, b.String())
}

// TestLlamacpp asks every surface of the engine in every client's dialect. One model on two cores answers all of
// it, so one question comes after the other.
//
//nolint:paralleltest // one model answers
func TestLlamacpp(t *testing.T) {
	engine := startEngine(t, "", 1024)
	gate := fairleadBefore(t, engine)
	want := baseline(t, engine)
	for _, s := range surfaces {
		for _, c := range clients {
			t.Run(c.name+" to "+s.dialect, func(t *testing.T) {
				testPair(t, gate, s, c, want)
			})
		}
	}
	t.Run("own dialect", func(t *testing.T) { testOwn(t, gate, want) })
	t.Run("completions", func(t *testing.T) { testCompletions(t, engine, gate) })
	t.Run("count tokens", func(t *testing.T) { testCount(t, gate, want) })
	// OpenAI lets clients leave the type out. Bytes that pass through are not mended.
	t.Run("an assistant's turn without its type is refused", func(t *testing.T) {
		body := responsesClient.body("own", question)
		body["input"] = messages(question)
		message, _ := openaiTooLong(gate.do(t, "/v1/responses", encode(body)).body)
		if message != "Cannot determine type of 'item'" {
			t.Errorf("llama.cpp says %q now: amend docs/real-engines.md", message)
		}
	})
	t.Run("embeddings are refused", func(t *testing.T) { testNoEmbeddings(t, gate) })
}

// answers are what the engine says when it is asked without Fairlead.
type answers struct{ plain, cut, stopped said }

// baseline asks the engine itself on each of its surfaces. They must agree, or there
// would be nothing to hold the translations against.
func baseline(t *testing.T, engine server) (want answers) {
	t.Helper()
	for i, s := range surfaces {
		var got answers
		got.plain, _ = s.direct.ask(t, engine, "any", question)
		got.cut, _ = s.direct.ask(t, engine, "any", question.atMost(4))
		got.stopped, _ = s.direct.ask(t, engine, "any", question.until(","))
		if i == 0 {
			if want = got; want.plain.text == "" || want.plain.out < 6 || !strings.HasPrefix(want.plain.text, want.stopped.text+",") {
				t.Fatalf("the question does not suit this model: %+v", want)
			}
			continue
		}
		for _, pair := range [][2]said{{got.plain, want.plain}, {got.cut, want.cut}, {got.stopped, want.stopped}} {
			pair[0].why = pair[1].why
			if pair[0] != pair[1] {
				t.Fatalf("the engine says %v on %s and %v on %s", pair[0], s.dialect, pair[1], surfaces[0].dialect)
			}
		}
	}
	return want
}

// same holds an answer against what the engine said without Fairlead.
func same(t *testing.T, got, want said, why string) {
	t.Helper()
	if got.text != want.text || got.in != want.in || got.out != want.out || got.why != why {
		t.Errorf("got %v; want %q, %s, %d+%d tokens", got, want.text, why, want.in, want.out)
	}
}

func testPair(t *testing.T, gate server, s surface, c client, want answers) {
	for _, stream := range []bool{false, true} {
		form := func(name string) string {
			if stream {
				return name + " streamed"
			}
			return name
		}
		one := question
		one.stream = stream
		t.Run(form("plain"), func(t *testing.T) {
			got, r := c.ask(t, gate, target(s), one)
			same(t, got, want.plain, c.ends)
			lossFree(t, r, "seed") // the engine is deterministic without it
			if stream && got.pieces < 6 {
				t.Errorf("%d pieces are no stream", got.pieces)
			}
		})
		t.Run(form("limit"), func(t *testing.T) {
			got, r := c.ask(t, gate, target(s), one.atMost(4))
			switch {
			case s.least > 4 && c.name != s.dialect:
				same(t, got, want.plain, c.ends) // the whole answer has fewer than 16 tokens
				if r.header.Get("X-Fairlead-Loss") == "" {
					t.Error("the limit was raised and no loss reported")
				}
			case s.noLength:
				same(t, got, want.cut, c.ends)
			default:
				same(t, got, want.cut, c.cut)
			}
		})
		t.Run(form("stop sequence"), func(t *testing.T) { testStop(t, gate, s, c, one.until(","), want) })
		t.Run(form("schema"), func(t *testing.T) { testSchema(t, gate, s, c, one.shaped(numberSchema), want) })
	}
	t.Run("too long", func(t *testing.T) { testTooLong(t, gate, s, c) })
}

// lossFree holds what the client hears of losses.
func lossFree(t *testing.T, r reply, but ...string) {
	t.Helper()
	lost := r.header.Get("X-Fairlead-Loss")
	for field := range strings.SplitSeq(lost, ",") {
		allowed := field == ""
		for _, b := range but {
			allowed = allowed || strings.EqualFold(field[strings.LastIndexByte(field, '.')+1:], b)
		}
		if !allowed {
			t.Errorf("lost %s", lost)
		}
	}
}

func testStop(t *testing.T, gate server, s surface, c client, a ask, want answers) {
	got, r := c.ask(t, gate, target(s), a)
	if s.noStop && c.name != s.dialect { // within its own dialect the engine's extension passes through
		same(t, got, want.plain, c.ends)
		if !strings.Contains(strings.ToLower(r.header.Get("X-Fairlead-Loss")), "stop") {
			t.Errorf("the stop sequence was lost and the header says %q", r.header.Get("X-Fairlead-Loss"))
		}
		return
	}
	if c.name == responsesClient.name && c.name != s.dialect { // an unknown field of OpenAI's dialect
		same(t, got, want.plain, c.ends)
		return
	}
	same(t, got, want.stopped, c.ends)
}

func testSchema(t *testing.T, gate server, s surface, c client, a ask, want answers) {
	got, r := c.ask(t, gate, target(s), a)
	if s.noSchema {
		same(t, got, want.plain, c.ends)
		return
	}
	fits(t, c, got)
	lossFree(t, r, "seed")
}

// fits holds an answer against numberSchema.
func fits(t *testing.T, c client, got said) {
	t.Helper()
	var answer map[string]int
	if err := json.Unmarshal([]byte(got.text), &answer); err != nil || len(answer) != 1 || got.why != c.ends || got.out == 0 {
		t.Errorf("%v does not fit the schema: %v", got, err)
	}
}

func testTooLong(t *testing.T, gate server, s surface, c client) {
	a := ask{turns: []string{strings.Repeat("word ", 1500)}, most: 4}
	for _, a.stream = range []bool{false, true} {
		r := gate.do(t, c.path(target(s), a), encode(c.body(target(s), a)))
		message, ok := c.tooLong(r.body)
		if r.status != 400 || !ok || !strings.Contains(message, "context") {
			t.Errorf("stream %v: %d %s", a.stream, r.status, r.body)
		}
	}
}

// testOwn asks a target without a dialect of its own: clients that speak one of the
// engine's are passed through, the others translated, and a schema holds for all.
func testOwn(t *testing.T, gate server, want answers) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			got, _ := c.ask(t, gate, "own", question)
			same(t, got, want.plain, c.ends)
			got, _ = c.ask(t, gate, "own", question.shaped(numberSchema))
			fits(t, c, got)
		})
	}
}

// testCompletions continues a text, which OpenAI's and Ollama's clients can ask for.
func testCompletions(t *testing.T, engine, gate server) {
	type completion struct {
		Choices []struct {
			Text         string
			FinishReason string `json:"finish_reason"`
		}
		Usage struct {
			Prompt     int64 `json:"prompt_tokens"`
			Completion int64 `json:"completion_tokens"`
		}
	}
	const prompt = "Red, green, blue,"
	ask := func(s server, model string) (c completion) {
		r := s.do(t, "/v1/completions", encode(object{"model": model, "prompt": prompt, "max_tokens": 6, "temperature": 0, "seed": 7}))
		decode(t, r.body, &c)
		if r.status != 200 || len(c.Choices) != 1 || c.Usage.Completion == 0 || c.Choices[0].FinishReason != "length" {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return c
	}
	want, got := ask(engine, "any"), ask(gate, "own")
	if got.Choices[0] != want.Choices[0] || got.Usage != want.Usage {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, stream := range []bool{false, true} {
		r := gate.do(t, "/api/generate", encode(object{
			"model": "own", "prompt": prompt, "raw": true, "stream": stream,
			"options": object{"num_predict": 6, "temperature": 0, "seed": 7},
		}))
		got := ollamaClient.read(t, askStream(stream), r.body)
		same(t, got, said{text: want.Choices[0].Text, in: want.Usage.Prompt, out: want.Usage.Completion}, "length")
	}
}

func askStream(stream bool) ask { return ask{stream: stream} }

// testCount has the engine count what it counted when it answered.
func testCount(t *testing.T, gate server, want answers) {
	body := anthropicClient.body("to-anthropic", question)
	delete(body, "max_tokens")
	delete(body, "temperature")
	r := gate.do(t, "/v1/messages/count_tokens", encode(body))
	var counted struct {
		InputTokens int64 `json:"input_tokens"`
	}
	if decode(t, r.body, &counted); counted.InputTokens != want.plain.in {
		t.Errorf("count_tokens: %d %s, want %d", r.status, r.body, want.plain.in)
	}
	r = gate.do(t, "/v1beta/models/to-anthropic:countTokens", encode(object{"generateContentRequest": object{
		"model": "models/to-anthropic", "contents": geminiClient.body("", question)["contents"],
		"systemInstruction": geminiClient.body("", question)["systemInstruction"],
	}}))
	var total struct{ TotalTokens int64 }
	if decode(t, r.body, &total); total.TotalTokens != want.plain.in {
		t.Errorf("countTokens: %d %s, want %d", r.status, r.body, want.plain.in)
	}
}

// testNoEmbeddings: the engine was started without --embeddings and says 501.
func testNoEmbeddings(t *testing.T, gate server) {
	r := gate.do(t, "/v1/embeddings", encode(object{"model": "own", "input": "hello"}))
	var e struct {
		Error struct{ Message, Type string }
	}
	if decode(t, r.body, &e); r.status < 400 || e.Error.Type == "" || !strings.Contains(e.Error.Message, "embeddings") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestLlamacpp_Tools: the template of the model has no tools, so Fairlead asks for a call by grammar, which only
// the engine's Chat knows.
//
//nolint:paralleltest // one model answers
func TestLlamacpp_Tools(t *testing.T) {
	gate := fairleadBefore(t, startEngine(t, "", 1024))
	tools(t, gate, "to-openai-chat")
	tools(t, gate, "own") // Messages and Responses would take the tools and not heed them
}

func tools(t *testing.T, gate server, model string) {
	a := ask{turns: []string{"What is the weather in Paris?"}, most: 64, tool: "weather"}
	for _, c := range clients {
		if c.name == ollamaClient.name {
			continue // its clients cannot demand a call, and a small model seldom makes one
		}
		for _, a.stream = range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s stream=%v", model, c.name, a.stream), func(t *testing.T) {
				got, _ := c.ask(t, gate, model, a)
				name, arguments, _ := strings.Cut(got.tool, " ")
				var city map[string]string
				if err := json.Unmarshal([]byte(arguments), &city); err != nil || name != "weather" || len(city) != 1 || got.why != c.called || got.out == 0 {
					t.Errorf("%v: %v", got, err)
				}
			})
		}
	}
}

// predicted is how the engine counts the tokens that it generated.
var predicted = regexp.MustCompile(`(?m)^llamacpp:tokens_predicted_total (\d+)`)

// TestLlamacpp_HangUp: when a client leaves, the engine stops generating. Its one slot answers in order, so once a
// further question is answered, what was generated for the first one can be counted.
//
//nolint:paralleltest // one model answers
func TestLlamacpp_HangUp(t *testing.T) {
	const most = 30_000
	model := filepath.Join(t.TempDir(), "tiny.gguf")
	enginetest.WriteModel(t, model)
	engine := startEngine(t, model, 1<<16)
	gate := fairleadBefore(t, engine)
	total := func(t *testing.T) int {
		found := predicted.FindSubmatch(engine.do(t, "/metrics", nil).body)
		if found == nil {
			t.Fatal("the engine does not count tokens")
		}
		n, _ := strconv.Atoi(string(found[1]))
		return n
	}
	for _, s := range surfaces {
		for _, c := range clients {
			t.Run(c.name+" to "+s.dialect, func(t *testing.T) {
				before := total(t)
				a := ask{turns: []string{"x"}, most: most, stream: true}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				res, err := gate.open(ctx, c.path(target(s), a), encode(c.body(target(s), a)))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(res.Body, make([]byte, 2000)); err != nil {
					t.Fatal(err)
				}
				cancel()
				res.Body.Close()
				chatClient.ask(t, gate, "to-openai-chat", ask{turns: []string{"x"}, most: 1})
				if n := total(t) - before; n < 2 || n > most/2 {
					t.Errorf("%d tokens were generated, of %d", n, most)
				}
			})
		}
	}
}
