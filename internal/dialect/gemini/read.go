package gemini

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Read reads all of a client's request. The error is of kind Invalid.
func Read(req *llm.Request) (*llm.Prompt, error) {
	doc, err := camelDoc(&req.Doc, rawjson.Limits{Depth: rawjson.MaxDepth})
	if err != nil {
		return nil, err
	}
	switch req.Surface {
	case llm.Embeddings:
		return readEmbed(req, doc.Bytes())
	case llm.CountTokens:
		if inner, ok := doc.Get("generateContentRequest"); ok && inner.Kind() == rawjson.Object {
			return readChat(req, inner.Raw())
		}
	}
	return readChat(req, doc.Bytes())
}

func readChat(req *llm.Request, body []byte) (*llm.Prompt, error) {
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, wire.BadField(err)
	}
	r := reader{prompt: &llm.Prompt{Surface: req.Surface, Tier: readTier(in.ServiceTier), Metadata: wire.WithoutTags(in.Labels)}}
	p := r.prompt
	if in.SystemInstruction != nil {
		for i := range in.SystemInstruction.Parts {
			if err := r.part(&p.System, &in.SystemInstruction.Parts[i], "systemInstruction", i); err != nil {
				return nil, err
			}
		}
	}
	if err := r.contents(in.Contents); err != nil {
		return nil, err
	}
	r.tools(in.Tools)
	r.choice(in.ToolConfig)
	r.config(in.GenerationConfig)
	r.unread("", in.Extra)
	slices.Sort(r.lost)
	p.Unread = slices.Compact(r.lost)
	return p, nil
}

// reader reads a prompt.
type reader struct {
	prompt *llm.Prompt
	lost   []string // fields without a word
	calls  int      // that had no id of their own
	open   []llm.Call
}

// unread notes fields that have no neutral word.
func (r *reader) unread(prefix string, extra map[string]rawJSON) {
	r.lost = append(r.lost, wire.Unread(extra, prefix, "store")...) // keeping it for later changes nothing of the answer
}

func readTier(tier string) string {
	tier = strings.TrimPrefix(strings.ToLower(tier), "service_tier_")
	switch tier {
	case "standard":
		return "default"
	case "unspecified":
		return ""
	}
	return tier
}

// tools reads what the model may call. Google's own tools stand each in a tool of its
// own in what other dialects would see, whatever shared an object here.
func (r *reader) tools(tools []tool) {
	p := r.prompt
	for i := range tools {
		for _, f := range tools[i].FunctionDeclarations {
			t := llm.Tool{Name: f.Name, Description: f.Description, Schema: wire.NotNull(f.ParametersJSONSchema)}
			if t.Schema == nil && wire.NotNull(f.Parameters) != nil {
				t.Schema = jsonSchema(f.Parameters)
			}
			p.Tools = append(p.Tools, t)
			r.unread("tools.functionDeclarations.", f.Extra)
		}
		names := make([]string, 0, len(tools[i].Extra))
		for name := range tools[i].Extra {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			raw := append(rawjson.AppendString([]byte{'{'}, name), ':')
			raw = append(append(raw, tools[i].Extra[name]...), '}')
			p.Tools = append(p.Tools, llm.Tool{Name: name, Raw: raw, Dialect: Name})
		}
	}
}

// modes is the table of functionCallingConfig.mode. VALIDATED is auto with arguments
// that keep to their schema.
var modes = map[string]llm.ChoiceMode{
	"AUTO": llm.ChoiceAuto, "ANY": llm.ChoiceAny, "NONE": llm.ChoiceNone, "VALIDATED": llm.ChoiceAuto,
}

func (r *reader) choice(c *toolConfig) {
	if c == nil {
		return
	}
	r.unread("toolConfig.", c.Extra)
	f := c.FunctionCallingConfig
	if f == nil {
		return
	}
	r.unread("toolConfig.functionCallingConfig.", f.Extra)
	p := r.prompt
	mode := strings.ToUpper(f.Mode)
	p.Choice = llm.ToolChoice{Mode: modes[mode], Allowed: f.AllowedFunctionNames}
	if p.Choice.Mode == llm.ChoiceAny && len(f.AllowedFunctionNames) == 1 {
		p.Choice = llm.ToolChoice{Mode: llm.ChoiceOne, Name: f.AllowedFunctionNames[0]}
	}
	if mode == "VALIDATED" {
		strict := true
		for i := range p.Tools {
			if p.Tools[i].IsFunction() {
				p.Tools[i].Strict = &strict
			}
		}
	}
}

func (r *reader) config(c *generationConfig) {
	if c == nil {
		return
	}
	r.prompt.Sampling = llm.Sampling{
		MaxTokens: c.MaxOutputTokens, Temperature: c.Temperature, TopP: c.TopP, Seed: c.Seed, Stop: c.StopSequences,
		PresencePenalty: c.PresencePenalty, FrequencyPenalty: c.FrequencyPenalty, N: c.CandidateCount,
		Logprobs: c.ResponseLogprobs, TopLogprobs: c.Logprobs,
	}
	if c.TopK != nil {
		k := int64(*c.TopK)
		r.prompt.Sampling.TopK = &k
	}
	switch {
	case wire.NotNull(c.ResponseJSONSchema) != nil:
		r.prompt.Format = llm.Format{Kind: llm.FormatSchema, Schema: c.ResponseJSONSchema}
	case wire.NotNull(c.ResponseSchema) != nil:
		r.prompt.Format = llm.Format{Kind: llm.FormatSchema, Schema: jsonSchema(c.ResponseSchema)}
	case c.ResponseMIMEType == mimeJSON:
		r.prompt.Format = llm.Format{Kind: llm.FormatJSON}
	case c.ResponseMIMEType != "" && c.ResponseMIMEType != "text/plain":
		r.lost = append(r.lost, "generationConfig.responseMimeType")
	}
	if !slices.Equal(c.ResponseModalities, []string{"TEXT"}) && len(c.ResponseModalities) > 0 {
		r.lost = append(r.lost, "generationConfig.responseModalities")
	}
	r.thinking(c.ThinkingConfig)
	r.unread("generationConfig.", c.Extra)
}

// dynamic is the budget by which the model decides how much it thinks.
const dynamic = -1

func (r *reader) thinking(c *thinkingConfig) {
	if c == nil {
		return
	}
	r.unread("generationConfig.thinkingConfig.", c.Extra)
	t := &r.prompt.Thinking
	t.Show = c.IncludeThoughts
	if level := strings.TrimPrefix(strings.ToLower(c.ThinkingLevel), "thinking_level_"); level != "" && level != "unspecified" {
		t.Mode, t.Effort = llm.ThinkingOn, level
	}
	if c.ThinkingBudget == nil {
		return
	}
	switch budget := *c.ThinkingBudget; {
	case budget == 0:
		t.Mode = llm.ThinkingOff
	case budget == dynamic:
		t.Mode = llm.ThinkingAdaptive
	case budget > 0:
		t.Mode, t.Budget = llm.ThinkingOn, budget
	}
}

// purposes is the table of taskType.
var purposes = map[string]string{
	"RETRIEVAL_QUERY": "query", "QUESTION_ANSWERING": "query", "FACT_VERIFICATION": "query", "CODE_RETRIEVAL_QUERY": "query",
	"RETRIEVAL_DOCUMENT": "document", "CLASSIFICATION": "classification", "CLUSTERING": "clustering",
}

// readEmbed reads what shall become vectors. Purpose and length are of the whole
// request elsewhere: those of the first text count.
func readEmbed(req *llm.Request, body []byte) (*llm.Prompt, error) {
	var in struct {
		embedRequest
		Requests list[embedRequest] `json:"requests"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, wire.BadField(err)
	}
	all := in.Requests
	if len(all) == 0 {
		all = list[embedRequest]{in.embedRequest}
	}
	p := &llm.Prompt{Surface: req.Surface, Dimensions: all[0].OutputDimensionality, Purpose: purposes[all[0].TaskType]}
	r := reader{prompt: p}
	for i := range all {
		q := &all[i]
		text, err := embedText(q.Content, i)
		if err != nil {
			return nil, err
		}
		p.Texts = append(p.Texts, text)
		if q.TaskType != all[0].TaskType || q.TaskType != "" && p.Purpose == "" {
			r.lost = append(r.lost, "taskType")
		}
		if q.OutputDimensionality != p.Dimensions {
			r.lost = append(r.lost, "outputDimensionality")
		}
		r.unread("", q.Extra)
	}
	slices.Sort(r.lost)
	p.Unread = slices.Compact(r.lost)
	return p, nil
}

func embedText(c *content, i int) (text string, err error) {
	at := fmt.Sprintf("requests[%d].content", i)
	if c == nil {
		return "", wire.Invalid(at, at+" is missing")
	}
	for _, p := range c.Parts {
		if p.Text == nil {
			return "", wire.Unsupported(at, at+" must be text for this target")
		}
		text += *p.Text
	}
	return text, nil
}
