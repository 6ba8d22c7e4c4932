package ollama

import (
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Names are this dialect's own names of what a writer may lose.
var Names = map[llm.Field]string{
	llm.FieldThinking: "think", llm.FieldReasoning: "messages.thinking", llm.FieldImage: "images", llm.FieldFormat: "format",
	llm.FieldMaxTokens: "options.num_predict", llm.FieldTemperature: "options.temperature", llm.FieldTopP: "options.top_p",
	llm.FieldTopK: "options.top_k", llm.FieldMinP: "options.min_p", llm.FieldSeed: "options.seed", llm.FieldStop: "options.stop",
	llm.FieldPresencePenalty: "options.presence_penalty", llm.FieldFrequencyPenalty: "options.frequency_penalty",
	llm.FieldRepeatPenalty: "options.repeat_penalty", llm.FieldSystem: "messages.role", llm.FieldOther: "messages.content",
}

// Read reads all of a client's request. The error is of kind Invalid.
func Read(req *llm.Request) (*llm.Prompt, error) {
	p := &llm.Prompt{Surface: req.Surface}
	var err error
	switch req.Surface {
	case llm.Completions:
		err = readGenerate(p, req)
	case llm.Embeddings:
		err = readEmbed(p, req)
	default:
		err = readChat(p, req)
	}
	if err != nil {
		return nil, err
	}
	readSampling(p, req)
	slices.Sort(p.Unread)
	return p, nil
}

func readChat(p *llm.Prompt, req *llm.Request) error {
	var in struct {
		Messages    []message `json:"messages"`
		Tools       []tool    `json:"tools"`
		Logprobs    bool      `json:"logprobs"`
		TopLogprobs int       `json:"top_logprobs"`
	}
	if err := json.Unmarshal(req.Body, &in); err != nil {
		return wire.BadField(err)
	}
	if len(in.Messages) == 0 {
		return loadsOnly("messages")
	}
	if err := readMessages(p, in.Messages); err != nil {
		return err
	}
	for i := range in.Tools {
		p.Tools = append(p.Tools, readTool(&in.Tools[i]))
	}
	p.Sampling.Logprobs, p.Sampling.TopLogprobs = in.Logprobs, in.TopLogprobs
	p.Format = readFormat(req)
	p.Thinking = readThink(req)
	noteUnread(p, req, "messages", "tools", "format", "think", "logprobs", "top_logprobs")
	return nil
}

// readGenerate reads what a completion is elsewhere: a text that is continued. What
// Ollama can do beyond that (a system prompt, pictures, a shape) is lost.
func readGenerate(p *llm.Prompt, req *llm.Request) error {
	prompt, _ := req.Doc.Get("prompt")
	text, _ := prompt.Str()
	if text == "" {
		return loadsOnly("prompt")
	}
	suffix, _ := req.Doc.Get("suffix")
	p.Suffix, _ = suffix.Str()
	p.Texts = []string{text}
	noteUnread(p, req, "prompt", "suffix")
	return nil
}

func readEmbed(p *llm.Prompt, req *llm.Request) error {
	input, _ := req.Doc.Get("input")
	if text, ok := input.Str(); ok {
		p.Texts = []string{text}
	}
	for item := range input.Items() {
		text, ok := item.Str()
		if !ok {
			return wire.Invalid("input", "input must be a string or an array of strings")
		}
		p.Texts = append(p.Texts, text)
	}
	if len(p.Texts) == 0 {
		return loadsOnly("input")
	}
	if v, ok := req.Doc.Get("dimensions"); ok && v.Kind() == rawjson.Number {
		n, isInt := v.Int()
		if !isInt || n < 0 || n > 1<<16 {
			return wire.Invalid("dimensions", "dimensions must be a whole number above 0")
		}
		p.Dimensions = int(n)
	}
	noteUnread(p, req, "input", "dimensions")
	return nil
}

// loadsOnly refuses a request that has the server load or unload its model.
func loadsOnly(field string) error {
	return wire.Invalid(field, field+" is missing: a target that is no Ollama server has no model to load")
}

// harmless are fields that only an Ollama server could act upon and whose absence
// changes nothing of the answer: how it lays the model out, and for how long.
var harmless = []string{
	"model", "stream", "options", "keep_alive",
	"num_gpu", "main_gpu", "num_thread", "num_batch", "use_mmap", "use_mlock", "numa", "low_vram", "f16_kv", "vocab_only",
}

// noteUnread lists the fields that were not read. False and empty ones say nothing.
func noteUnread(p *llm.Prompt, req *llm.Request, read ...string) {
	for name, v := range req.Doc.Fields() {
		if !slices.Contains(read, name) && !slices.Contains(harmless, name) && saysSomething(v) {
			p.Unread = append(p.Unread, name)
		}
	}
}

func saysSomething(v rawjson.Value) bool {
	switch raw := string(v.Raw()); raw {
	case "null", "false", `""`, "[]", "{}":
		return false
	}
	return v.Kind() != rawjson.Array || !wire.NoItems(v)
}

func readTool(t *tool) llm.Tool {
	if t.Type != "function" && t.Type != "" {
		raw, _ := json.Marshal(t) // cannot fail: it was read from JSON
		return llm.Tool{Name: t.Type, Raw: raw, Dialect: Name}
	}
	out := llm.Tool{Name: t.Function.Name, Description: t.Function.Description}
	if t.Function.Parameters.Kind() == '{' {
		out.Schema = t.Function.Parameters
	}
	return out
}

func readFormat(req *llm.Request) llm.Format {
	v, _ := req.Doc.Get("format")
	switch {
	case v.Kind() == rawjson.Object:
		return llm.Format{Kind: llm.FormatSchema, Schema: v.Raw()}
	case v.Is("json"):
		return llm.Format{Kind: llm.FormatJSON}
	}
	return llm.Format{}
}

func readThink(req *llm.Request) llm.Thinking {
	v, _ := req.Doc.Get("think")
	if level, ok := v.Str(); ok {
		return llm.Thinking{Mode: llm.ThinkingOn, Effort: level}
	}
	switch on, ok := v.Bool(); {
	case !ok:
		return llm.Thinking{}
	case on:
		return llm.Thinking{Mode: llm.ThinkingOn}
	}
	return llm.Thinking{Mode: llm.ThinkingOff}
}

// readSampling reads the options. Whole numbers may be written as 42.0, as Ollama
// takes them.
func readSampling(p *llm.Prompt, req *llm.Request) {
	opts, _ := req.Doc.Get("options")
	s := &p.Sampling
	for name, v := range opts.Fields() {
		switch name {
		case "num_predict":
			if req.MaxTokens > 0 {
				s.MaxTokens = &req.MaxTokens
			}
		case "temperature":
			s.Temperature = float(v)
		case "top_p":
			s.TopP = float(v)
		case "top_k":
			s.TopK = whole(v)
		case "min_p":
			s.MinP = float(v)
		case "seed":
			s.Seed = whole(v)
		case "stop":
			s.Stop = texts(v)
		case "presence_penalty":
			s.PresencePenalty = float(v)
		case "frequency_penalty":
			s.FrequencyPenalty = float(v)
		case "repeat_penalty":
			s.RepeatPenalty = float(v)
		default:
			if !slices.Contains(harmless, name) && v.Kind() != rawjson.Null {
				p.Unread = append(p.Unread, "options."+name)
			}
		}
	}
}

func float(v rawjson.Value) *float64 {
	f, ok := v.Float()
	if !ok {
		return nil
	}
	return &f
}

func whole(v rawjson.Value) *int64 {
	n, ok := v.Int()
	if !ok {
		return nil
	}
	return &n
}

// texts reads a string or an array of strings.
func texts(v rawjson.Value) (list []string) {
	if text, ok := v.Str(); ok {
		return []string{text}
	}
	for item := range v.Items() {
		if text, ok := item.Str(); ok {
			list = append(list, text)
		}
	}
	return list
}
