package responses

import (
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// Read reads all of a client's request. The error is of kind Invalid, or Unsupported
// where the request names a conversation that another target cannot see.
func Read(req *llm.Request) (*llm.Prompt, error) {
	var in request
	if err := json.Unmarshal(req.Body, &in); err != nil {
		return nil, wire.BadField(err)
	}
	if err := in.stateless(); err != nil {
		return nil, err
	}
	p := &llm.Prompt{
		Surface: req.Surface, Parallel: in.ParallelToolCalls, User: in.User, Tier: in.ServiceTier, Metadata: wire.WithoutTags(in.Metadata),
		Sampling: llm.Sampling{MaxTokens: in.MaxOutputTokens, Temperature: in.Temperature, TopP: in.TopP,
			TopLogprobs: in.TopLogprobs, Logprobs: in.TopLogprobs > 0 || slices.Contains(in.Include, includeLogprobs)},
	}
	if p.User == "" {
		p.User = in.SafetyIdentifier
	}
	if in.Instructions != "" {
		p.System = []llm.Part{{Kind: llm.Text, Text: in.Instructions}}
	}
	u := &unread{}
	p.Thinking = readThinking(in.Reasoning, u)
	p.Format = in.Text.read(u)
	p.Tools = readToolList(in.Tools, u)
	p.Choice = readChoice(in.ToolChoice, u)
	in.leftovers(u)
	p.Unread = *u
	return p, readInput(p, in.Input)
}

// stateless refuses what stands for a conversation that only one account has: another
// target would answer without it, which is worse than no answer.
func (in *request) stateless() error {
	switch {
	case in.PreviousResponseID != "":
		return isStateful("previous_response_id")
	case given(in.Conversation):
		return isStateful("conversation")
	case given(in.Prompt):
		return isStateful("prompt")
	}
	return nil
}

func isStateful(field string) error {
	return &llm.Error{Kind: llm.Unsupported, Param: field, Code: "stateful",
		Message: field + " names what the account of another target has stored, and this target cannot see it; send the whole conversation as input"}
}

// given reports whether a field was set.
func given(v rawJSON) bool { return len(v) > 0 && v.Kind() != 'n' }

// unread collects the client's fields that have no neutral word.
type unread []string

func (u *unread) add(there bool, name string) {
	if there && !slices.Contains(*u, name) {
		*u = append(*u, name)
	}
}

// all adds what is set of fields that nobody knows.
func (u *unread) all(fields map[string]rawJSON, prefix string) {
	for _, name := range wire.Unread(fields, prefix) {
		u.add(true, name)
	}
}

// leftovers are the fields that no other dialect can be told of. Those are not named
// whose absence changes nothing: what is not stored, not truncated and not hidden in
// noise is what every target does.
func (in *request) leftovers(u *unread) {
	u.add(in.Store != nil && *in.Store, "store")
	u.add(in.Background, "background")
	u.add(in.Truncation != "" && in.Truncation != "disabled", "truncation")
	u.add(in.SafetyIdentifier != "" && in.User != "" && in.User != in.SafetyIdentifier, "safety_identifier")
	for _, what := range in.Include {
		u.add(what != includeEncrypted && what != includeLogprobs, "include")
	}
	u.all(in.Extra, "")
}

func readThinking(r *reasoningOptions, u *unread) (t llm.Thinking) {
	if r == nil {
		return t
	}
	u.all(r.Extra, "reasoning.")
	switch t.Effort = r.Effort; r.Effort {
	case "":
	case "none":
		t.Mode = llm.ThinkingOff
	default:
		t.Mode = llm.ThinkingOn
	}
	if t.Summary = r.Summary; t.Summary == "" {
		t.Summary = r.Older
	}
	if t.Summary != "" {
		show := true
		t.Show = &show
	}
	return t
}

func (t *textOptions) read(u *unread) llm.Format {
	if t == nil {
		return llm.Format{}
	}
	u.all(t.Extra, "text.")
	switch f := t.Format; {
	case f == nil:
	case f.Type == "json_object":
		return llm.Format{Kind: llm.FormatJSON}
	case f.Type == "json_schema":
		return llm.Format{Kind: llm.FormatSchema, Name: f.Name, Description: f.Description, Schema: f.Schema, Strict: f.Strict}
	}
	return llm.Format{}
}

// readToolList reads functions; any other tool is one that the provider runs, or that
// only this dialect has.
func readToolList(tools []rawJSON, u *unread) (out []llm.Tool) {
	for _, raw := range tools {
		var f function
		if err := json.Unmarshal(raw, &f); err != nil || f.Type != typeFunction {
			out = append(out, llm.Tool{Name: f.Type, Raw: raw, Dialect: Name})
			continue
		}
		tool := llm.Tool{Name: f.Name, Description: f.Description, Strict: f.Strict}
		if given(f.Parameters) {
			tool.Schema = f.Parameters
		}
		u.all(f.Extra, "tools.")
		out = append(out, tool)
	}
	return out
}

var choiceWords = map[string]llm.ChoiceMode{"auto": llm.ChoiceAuto, "none": llm.ChoiceNone, "required": llm.ChoiceAny}

// readChoice reads a word or an object. To choose a tool that the provider runs has no
// neutral word.
func readChoice(v rawJSON, u *unread) llm.ToolChoice {
	if v.Kind() == '"' {
		var word string
		_ = json.Unmarshal(v, &word) // its kind was checked
		return llm.ToolChoice{Mode: choiceWords[word]}
	}
	var c struct {
		Type  string     `json:"type"`
		Name  string     `json:"name"`
		Mode  string     `json:"mode"`
		Tools []function `json:"tools"`
	}
	if !given(v) {
		return llm.ToolChoice{}
	}
	err := json.Unmarshal(v, &c)
	switch {
	case err == nil && c.Type == typeFunction:
		return llm.ToolChoice{Mode: llm.ChoiceOne, Name: c.Name}
	case err == nil && c.Type == "allowed_tools":
		choice := llm.ToolChoice{Mode: choiceWords[c.Mode]}
		for _, t := range c.Tools {
			if t.Type == typeFunction {
				choice.Allowed = append(choice.Allowed, t.Name)
			} else {
				u.add(true, "tool_choice")
			}
		}
		return choice
	}
	u.add(true, "tool_choice")
	return llm.ToolChoice{}
}
