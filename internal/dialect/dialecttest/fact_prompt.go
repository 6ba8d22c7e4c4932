package dialecttest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fairlead/fairlead/internal/llm"
)

// PromptFacts lists what a request says.
func PromptFacts(p *llm.Prompt) []Fact {
	r := &promptReader{called: map[string]string{}}
	for i := range p.System {
		r.part("system", &p.System[i])
	}
	for i := range p.Turns {
		t := &p.Turns[i]
		place := string(t.Role)
		if t.Role == llm.System {
			place = "system, later"
		}
		r.addIf("name", place, t.Name, llm.FieldName)
		for j := range t.Parts {
			r.part(place, &t.Parts[j])
		}
	}
	r.tools(p)
	r.wishes(p)
	r.sampling(&p.Sampling)
	return r.facts
}

// promptReader collects the facts of a request.
type promptReader struct {
	facts
	called map[string]string // names of tools by the id of their call
}

func (r *promptReader) part(place string, p *llm.Part) {
	switch p.Kind {
	case llm.Text:
		var field []llm.Field
		if place == "system, later" {
			field = []llm.Field{llm.FieldSystem}
		}
		r.addIf("text", place, p.Text, field...)
	case llm.Refusal:
		r.add("refusal", place, p.Text, llm.FieldRefusal)
	case llm.Reasoning:
		r.addIf("thought", place, p.Text, llm.FieldReasoning)
		r.addIf("redacted", place, signed(p.Signer, p.Redacted), llm.FieldReasoning, llm.FieldSignature)
	case llm.Image, llm.Audio, llm.Video, llm.Document:
		r.media(place, p)
	case llm.ToolCall:
		r.called[p.Call.ID] = p.Call.Name
		r.add("call", place, p.Call.Name+" "+arguments(p.Call.Arguments))
		r.addIf("call id", place, p.Call.ID)
	case llm.ToolResult:
		r.result(p.Result)
	default:
		r.add("other", place, canonical(p.Raw), llm.FieldOther)
	}
	r.addIf("signature", place, signed(p.Signer, p.Signature), llm.FieldSignature, llm.FieldReasoning)
	if p.Cache != nil {
		r.add("cache", place, ttl(p.Cache), llm.FieldCache)
	}
	for _, c := range p.Citations {
		r.add("citation", place, citation(&c), llm.FieldCitations)
	}
}

func ttl(c *llm.Cache) string {
	if c.TTL == "" {
		return "5m" // the usual one, in the dialects that have the word
	}
	return c.TTL
}

func signed(signer, proof string) string {
	if proof == "" {
		return ""
	}
	return signer + ":" + proof
}

// arguments are JSON that may be broken; none are an empty object.
func arguments(text string) string {
	if strings.TrimSpace(text) == "" {
		return "{}"
	}
	return canonical([]byte(text))
}

// mediaFields are the names under which a file may be lost.
var mediaFields = map[llm.PartKind]struct {
	key   string
	field llm.Field
}{
	llm.Image: {"image", llm.FieldImage}, llm.Audio: {"audio", llm.FieldAudio},
	llm.Video: {"video", llm.FieldVideo}, llm.Document: {"document", llm.FieldDocument},
}

func (r *promptReader) media(place string, p *llm.Part) {
	row, m := mediaFields[p.Kind], p.Media
	switch {
	case m.Base64 != "":
		data := m.Base64
		if text, err := base64.StdEncoding.DecodeString(data); err == nil && strings.HasPrefix(m.MIME, "text/") {
			data = string(text)
		}
		r.add(row.key, place, data, row.field)
	case m.FileID != "":
		r.add(row.key, place, m.FileOf+":"+m.FileID, llm.FieldFile, row.field)
	default:
		r.add(row.key, place, m.URL, row.field, llm.FieldFile)
	}
	if m.URL == "" { // what is fetched says itself what it is
		r.addIf(row.key+" type", place, m.MIME, row.field, llm.FieldFile)
	}
	r.addIf(row.key+" detail", place, m.Detail, llm.FieldDetail, row.field)
	r.addIf(row.key+" name", place, m.Name, row.field, llm.FieldTitle)
	r.addIf(row.key+" context", place, m.Context, row.field, llm.FieldOther)
	if m.Cite {
		r.add("cite", place, "true", llm.FieldCitations, row.field)
	}
}

func (r *promptReader) result(result *llm.Result) {
	name := result.Name
	if called := r.called[result.CallID]; called != "" {
		name = called
	}
	r.add("result", name, "")
	if result.Failed {
		r.add("failed", name, "true", llm.FieldIsError)
	}
	for i := range result.Parts {
		p := &result.Parts[i]
		if p.Kind == llm.Text {
			r.addIf("text", "result of "+name, unwrapped(p.Text))
			continue
		}
		r.part("result of "+name, p)
	}
}

// unwrapped is the text of a result that a dialect wants as an object.
func unwrapped(text string) string {
	for _, name := range [...]string{"result", "output", "content", "error"} {
		if rest, ok := strings.CutPrefix(text, `{"`+name+`":"`); ok {
			if inner, ok := strings.CutSuffix(rest, `"}`); ok {
				return inner
			}
		}
	}
	return text
}

func (r *promptReader) tools(p *llm.Prompt) {
	for i := range p.Tools {
		t := &p.Tools[i]
		if !t.IsFunction() {
			r.add("server tool", t.Dialect, canonical(t.Raw), llm.FieldTools)
			continue
		}
		r.add("tool", t.Name, t.Description)
		r.addIf("schema", t.Name, canonical(t.Schema))
		if t.Strict != nil && *t.Strict {
			r.add("strict", t.Name, "true", llm.FieldStrict)
		}
		if t.Cache != nil {
			r.add("cache", "tool "+t.Name, ttl(t.Cache), llm.FieldCache)
		}
	}
	mode := map[llm.ChoiceMode]string{llm.ChoiceNone: "none", llm.ChoiceAny: "any", llm.ChoiceOne: "one"}[p.Choice.Mode] // auto is what unset means
	r.addIf("choice", p.Choice.Name, mode, llm.FieldToolChoice)
	if len(p.Choice.Allowed) > 0 {
		r.add("allowed tools", "", strings.Join(p.Choice.Allowed, " "), llm.FieldToolChoice)
	}
	if p.Parallel != nil && !*p.Parallel {
		r.add("parallel", "", "false", llm.FieldParallel)
	}
}

func (r *promptReader) wishes(p *llm.Prompt) {
	switch p.Format.Kind {
	case llm.FormatJSON:
		r.add("format", "", "object", llm.FieldFormat)
	case llm.FormatSchema:
		r.add("format", "", canonical(p.Format.Schema), llm.FieldFormat)
	}
	t := &p.Thinking
	mode := map[llm.ThinkingMode]string{llm.ThinkingOff: "off", llm.ThinkingOn: "on", llm.ThinkingAdaptive: "adaptive"}[t.Mode]
	r.addIf("thinking", "", mode, llm.FieldThinking)
	if t.Effort != "" && t.Effort != "none" {
		r.add("effort", "", t.Effort, llm.FieldThinking)
	}
	if t.Budget > 0 {
		r.add("budget", "", strconv.FormatInt(t.Budget, 10), llm.FieldThinking)
	}
	if t.Show != nil {
		r.add("thoughts shown", "", strconv.FormatBool(*t.Show), llm.FieldThinking)
	}
	r.addIf("thoughts summed up", "", t.Summary, llm.FieldThinking)
	r.addIf("user", "", p.User, llm.FieldUser)
	r.addIf("tier", "", p.Tier, llm.FieldTier)
	for name, value := range p.Metadata {
		r.add("metadata", name, value, llm.FieldMetadata)
	}
}

func (r *promptReader) sampling(s *llm.Sampling) {
	whole := func(key string, v *int64, f llm.Field) {
		if v != nil {
			r.add(key, "", strconv.FormatInt(*v, 10), f)
		}
	}
	decimal := func(key string, v *float64, f llm.Field) {
		if v != nil {
			r.add(key, "", strconv.FormatFloat(*v, 'g', -1, 64), f)
		}
	}
	whole("max tokens", s.MaxTokens, llm.FieldMaxTokens)
	decimal("temperature", s.Temperature, llm.FieldTemperature)
	decimal("top_p", s.TopP, llm.FieldTopP)
	whole("top_k", s.TopK, llm.FieldTopK)
	decimal("min_p", s.MinP, llm.FieldMinP)
	whole("seed", s.Seed, llm.FieldSeed)
	decimal("presence penalty", s.PresencePenalty, llm.FieldPresencePenalty)
	decimal("frequency penalty", s.FrequencyPenalty, llm.FieldFrequencyPenalty)
	decimal("repeat penalty", s.RepeatPenalty, llm.FieldRepeatPenalty)
	for i, word := range s.Stop {
		r.add("stop", strconv.Itoa(i), word, llm.FieldStop)
	}
	if len(s.LogitBias) > 0 {
		r.add("logit bias", "", canonical(s.LogitBias), llm.FieldLogitBias)
	}
	if s.N > 1 {
		r.add("n", "", strconv.Itoa(s.N), llm.FieldN)
	}
	if s.Logprobs {
		r.add("logprobs", "", "true", llm.FieldLogprobs)
	}
	if s.TopLogprobs > 0 {
		r.add("top logprobs", "", strconv.Itoa(s.TopLogprobs), llm.FieldTopLogprobs, llm.FieldLogprobs)
	}
}

// citation is where a sentence comes from, without the codec's own copy of it.
func citation(c *llm.Citation) string {
	switch {
	case c.URL != "":
		return c.URL + " " + c.Title
	case c.Kind == "document":
		return fmt.Sprintf("document %d %q", c.Document, c.Quote)
	}
	return fmt.Sprintf("%s %s %q", c.Kind, c.Title, c.Quote)
}

// meansTheSame says that one fact stands for another: the forms that dialects have
// for one meaning. What is not here must be kept, or named as lost.
func meansTheSame(said, arrived Fact) bool {
	switch said.Key {
	case "effort": // tokens in place of a word, and the other way round
		budget, _ := strconv.ParseInt(arrived.Value, 10, 64)
		return arrived.Key == "budget" && budget == llm.BudgetOf(said.Value) ||
			arrived.Key == "effort" && efforts(said.Value, arrived.Value)
	case "budget":
		budget, _ := strconv.ParseInt(said.Value, 10, 64)
		return arrived.Key == "effort" && arrived.Value == llm.EffortOf(budget)
	case "thinking": // said by how much
		return said.Value != "off" && arrived.Key == "thinking" && arrived.Value != "off" ||
			arrived.Key == "effort" || arrived.Key == "budget"
	case "refusal": // as plain words
		return arrived.Key == "text" && strings.Contains(arrived.Value, said.Value)
	case "document", "document context": // a text that stands among the words
		return arrived.Key == "text" && strings.Contains(arrived.Value, said.Value) || arrived.Key == said.Key && arrived.Value == said.Value
	case "image", "audio", "video", "cache", "thought", "image type", "document type": // at another place, or of a text that stands among the words
		return arrived.Key == said.Key && arrived.Value == said.Value || said.Value == "text/plain" && arrived.Key == "text"
	case "document name": // in letters that a provider takes, or among the words
		return arrived.Key == "text" && strings.Contains(arrived.Value, said.Value) ||
			arrived.Key == said.Key && strings.Map(letters, arrived.Value) == strings.Map(letters, said.Value)
	case "thoughts summed up": // at some length
		return arrived.Key == "thoughts shown" && arrived.Value == "true"
	case "image detail": // auto is what none means
		return said.Value == "auto"
	case "call id": // made anew where a dialect has none
		return arrived.Key == "call"
	case "user": // where metadata is the only place for it
		return arrived.Key == "metadata" && arrived.Value == said.Value
	case "metadata":
		return said.Place == "user_id" && arrived.Key == "user" && arrived.Value == said.Value
	case "choice": // one tool of those that are allowed
		return said.Value == "one" && arrived.Key == "allowed tools" && arrived.Value == said.Place
	case "allowed tools":
		return arrived.Key == "choice" && arrived.Value == "one" && arrived.Place == said.Value
	}
	return meansTheSameOfAnswers(said, arrived)
}

// letters drops all but letters and digits.
func letters(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return -1
}

// efforts says that a word is the nearest one that a dialect has for another.
func efforts(said, arrived string) bool {
	ladder := []string{"minimal", "low", "medium", "high", "xhigh", "max"}
	i, j := slices.Index(ladder, said), slices.Index(ladder, arrived)
	return i >= 0 && j >= 0 && max(i-j, j-i) == 1
}

// stands says that a fact means nothing more than what holds without it.
func stands(f Fact) bool {
	switch f.Key {
	case "image detail":
		return f.Value == "auto"
	case "thinking":
		return f.Value == "adaptive" // what models do that are not told
	case "tier":
		return f.Value == "auto" || f.Value == "default"
	}
	return false
}
