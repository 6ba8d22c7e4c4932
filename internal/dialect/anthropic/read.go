package anthropic

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Read reads all of a client's request. The error is of kind Invalid.
func Read(req *llm.Request) (*llm.Prompt, error) {
	var in request
	if err := json.Unmarshal(req.Body, &in); err != nil {
		return nil, badField("", err)
	}
	r := reader{called: map[string]string{}}
	r.prompt = llm.Prompt{
		Surface: req.Surface, Tier: readTier(in.ServiceTier),
		Sampling: llm.Sampling{MaxTokens: in.MaxTokens, Temperature: in.Temperature, TopP: in.TopP, TopK: in.TopK, Stop: in.StopSequences},
	}
	r.unread("", in.Extra)
	if err := r.conversation(&in); err != nil {
		return nil, err
	}
	if err := r.tools(in.Tools); err != nil {
		return nil, err
	}
	r.choice(in.ToolChoice)
	r.thinking(&in)
	if in.Metadata != nil {
		r.prompt.User = in.Metadata.UserID
		r.unread("metadata.", in.Metadata.Extra)
	}
	slices.Sort(r.prompt.Unread)
	return &r.prompt, nil
}

// badField turns an error of the JSON library into one that names the field, which lies
// within another where that was read by itself.
func badField(within string, err error) error {
	e := &llm.Error{Kind: llm.Invalid, Param: within, Code: "invalid_type", Err: err, Message: "a field of the request has the wrong type"}
	if at, ok := err.(*json.SemanticError); ok { //nolint:errorlint // returned as it is, never wrapped
		e.Param = strings.Trim(within+strings.ReplaceAll(string(at.JSONPointer), "/", "."), ".")
		e.Message = e.Param + " has the wrong type: a " + at.JSONKind.String() + " cannot stand here"
	}
	return e
}

// reader puts a prompt together.
type reader struct {
	prompt llm.Prompt
	called map[string]string // tool names by call id
}

// harmless are fields whose absence changes nothing of the answer: they tune how a
// provider works, or say what is the default.
var harmless = []string{"caller", "eager_input_streaming", "inference_geo", "diagnostics", "betas"}

// unread notes fields that have no neutral word.
func (r *reader) unread(within string, extra map[string]rawJSON) {
	for _, name := range wire.Unread(extra, within, harmless...) {
		if !slices.Contains(r.prompt.Unread, name) {
			r.prompt.Unread = append(r.prompt.Unread, name)
		}
	}
}

// readTier takes the one tier that only this dialect names so in the word that the
// others have for it.
func readTier(word string) string {
	if word == "standard_only" {
		return "default"
	}
	return word
}

func (r *reader) tools(tools []rawJSON) error {
	for i, raw := range tools {
		var t tool
		if err := json.Unmarshal(raw, &t); err != nil {
			return badField("tools."+strconv.Itoa(i), err)
		}
		if t.Type != "" && t.Type != "custom" {
			r.prompt.Tools = append(r.prompt.Tools, llm.Tool{Name: t.Name, Raw: raw, Dialect: Name, Cache: t.Cache.read()})
			continue
		}
		r.unread("tools.", t.Extra)
		r.prompt.Tools = append(r.prompt.Tools, llm.Tool{
			Name: t.Name, Description: t.Description, Schema: wire.NotNull(t.InputSchema), Strict: t.Strict, Cache: t.Cache.read(),
		})
	}
	return nil
}

func (c *cacheControl) read() *llm.Cache {
	if c == nil {
		return nil
	}
	return &llm.Cache{TTL: c.TTL}
}

var choiceModes = map[string]llm.ChoiceMode{
	"auto": llm.ChoiceAuto, "any": llm.ChoiceAny, "none": llm.ChoiceNone, "tool": llm.ChoiceOne,
}

func (r *reader) choice(c *toolChoice) {
	if c == nil {
		return
	}
	r.prompt.Choice = llm.ToolChoice{Mode: choiceModes[c.Type]}
	if c.Type == "tool" {
		r.prompt.Choice.Name = c.Name
	}
	if c.DisableParallel != nil {
		parallel := !*c.DisableParallel
		r.prompt.Parallel = &parallel
	}
}

// thinking reads how much to think, and the shape of the answer that stands beside it
// since output_config came.
func (r *reader) thinking(in *request) {
	config := in.OutputConfig
	if config == nil {
		config = &outputConfig{}
	}
	r.unread("output_config.", config.Extra)
	shape := config.Format
	if shape == nil {
		shape = in.OutputFormat
	}
	if shape != nil && shape.Type == "json_schema" {
		r.prompt.Format = llm.Format{Kind: llm.FormatSchema, Schema: wire.NotNull(shape.Schema)}
	}
	t := llm.Thinking{Effort: config.Effort}
	if in.Thinking != nil {
		t.Budget = in.Thinking.Budget
		switch in.Thinking.Type {
		case "enabled":
			t.Mode = llm.ThinkingOn
		case "adaptive":
			t.Mode = llm.ThinkingAdaptive
		case offDisabled, offBetween:
			t = llm.Thinking{Mode: llm.ThinkingOff} // an effort is then about the answer's length
		}
		if in.Thinking.Display != "" {
			show := in.Thinking.Display != "omitted"
			t.Show = &show
		}
	}
	r.prompt.Thinking = t
}
