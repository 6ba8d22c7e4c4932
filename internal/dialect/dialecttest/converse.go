package dialecttest

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// targetReaders read what was sent in dialects that no client speaks, as their
// publishers describe them.
var targetReaders = map[string]func(body []byte) ([]Fact, error){
	"bedrock": converseFacts,
}

// converse is a request of Bedrock's Converse.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
type converse struct {
	Messages []struct {
		Role    string          `json:"role"`
		Content []converseBlock `json:"content"`
	} `json:"messages"`
	System    []converseBlock `json:"system"`
	Inference struct {
		MaxTokens   *int64   `json:"maxTokens"`
		Temperature *float64 `json:"temperature"`
		TopP        *float64 `json:"topP"`
		Stop        []string `json:"stopSequences"`
	} `json:"inferenceConfig"`
	Tools struct {
		Tools []struct {
			Spec *struct {
				Name        string `json:"name"`
				Description string `json:"description"`
				Strict      *bool  `json:"strict"`
				Schema      struct {
					JSON jsontext.Value `json:"json"`
				} `json:"inputSchema"`
			} `json:"toolSpec"`
			Cache *converseCache `json:"cachePoint"`
		} `json:"tools"`
		Choice map[string]struct {
			Name string `json:"name"`
		} `json:"toolChoice"`
	} `json:"toolConfig"`
	More struct { // of Anthropic's models
		TopK     *int64 `json:"top_k"`
		Thinking struct {
			Type   string `json:"type"`
			Budget int64  `json:"budget_tokens"`
		} `json:"thinking"`
		Output struct {
			Effort string `json:"effort"`
		} `json:"output_config"`
		ToolChoice struct {
			OneAtATime bool `json:"disable_parallel_tool_use"`
		} `json:"tool_choice"`
	} `json:"additionalModelRequestFields"`
	Output struct {
		Effort string `json:"effort"`
		Format struct {
			Structure struct {
				Schema struct {
					Schema string `json:"schema"`
				} `json:"jsonSchema"`
			} `json:"structure"`
		} `json:"textFormat"`
	} `json:"outputConfig"`
	Metadata map[string]string `json:"requestMetadata"`
	Tier     struct {
		Type string `json:"type"`
	} `json:"serviceTier"`
}

type converseCache struct {
	TTL string `json:"ttl"`
}

type converseMedia struct {
	Format string `json:"format"`
	Name   string `json:"name"`
	Source struct {
		Bytes string `json:"bytes"`
		S3    struct {
			URI string `json:"uri"`
		} `json:"s3Location"`
	} `json:"source"`
	Context   string `json:"context"`
	Citations struct {
		Enabled bool `json:"enabled"`
	} `json:"citations"`
}

type converseBlock struct {
	Text     *string        `json:"text"`
	Image    *converseMedia `json:"image"`
	Document *converseMedia `json:"document"`
	Video    *converseMedia `json:"video"`
	Audio    *converseMedia `json:"audio"`
	ToolUse  *struct {
		ID    string         `json:"toolUseId"`
		Name  string         `json:"name"`
		Input jsontext.Value `json:"input"`
	} `json:"toolUse"`
	ToolResult *struct {
		ID      string          `json:"toolUseId"`
		Content []converseBlock `json:"content"`
		Status  string          `json:"status"`
	} `json:"toolResult"`
	Reasoning *struct {
		Text struct {
			Text      string `json:"text"`
			Signature string `json:"signature"`
		} `json:"reasoningText"`
		Redacted string `json:"redactedContent"`
	} `json:"reasoningContent"`
	Cache *converseCache `json:"cachePoint"`
}

func converseFacts(body []byte) ([]Fact, error) {
	var in converse
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	more := &in.More
	p := &llm.Prompt{
		System: converseParts(in.System), Metadata: in.Metadata, Tier: in.Tier.Type,
		Sampling: llm.Sampling{MaxTokens: in.Inference.MaxTokens, Temperature: in.Inference.Temperature, TopP: in.Inference.TopP, TopK: more.TopK, Stop: in.Inference.Stop},
		Thinking: llm.Thinking{Effort: in.Output.Effort + more.Output.Effort, Budget: more.Thinking.Budget},
	}
	p.Thinking.Mode = map[string]llm.ThinkingMode{"enabled": llm.ThinkingOn, "adaptive": llm.ThinkingAdaptive, "disabled": llm.ThinkingOff}[more.Thinking.Type]
	if schema := in.Output.Format.Structure.Schema.Schema; schema != "" {
		p.Format = llm.Format{Kind: llm.FormatSchema, Schema: []byte(schema)}
	}
	for _, m := range in.Messages {
		p.Turns = append(p.Turns, llm.Turn{Role: llm.Role(m.Role), Parts: converseParts(m.Content)})
	}
	in.tools(p)
	return PromptFacts(p), nil
}

func (in *converse) tools(p *llm.Prompt) {
	for _, t := range in.Tools.Tools {
		switch {
		case t.Spec != nil:
			p.Tools = append(p.Tools, llm.Tool{Name: t.Spec.Name, Description: t.Spec.Description, Schema: t.Spec.Schema.JSON, Strict: t.Spec.Strict})
		case t.Cache != nil && len(p.Tools) > 0:
			p.Tools[len(p.Tools)-1].Cache = &llm.Cache{TTL: t.Cache.TTL}
		}
	}
	for word, choice := range in.Tools.Choice {
		mode := map[string]llm.ChoiceMode{"auto": llm.ChoiceAuto, "any": llm.ChoiceAny, "tool": llm.ChoiceOne}[word]
		p.Choice = llm.ToolChoice{Mode: mode, Name: choice.Name}
	}
	if in.More.ToolChoice.OneAtATime {
		no := false
		p.Parallel = &no
	}
}

func converseParts(blocks []converseBlock) (parts []llm.Part) {
	for i := range blocks {
		b := &blocks[i]
		switch {
		case b.Text != nil:
			parts = append(parts, llm.Part{Kind: llm.Text, Text: *b.Text})
		case b.Image != nil:
			parts = append(parts, b.Image.part(llm.Image, "image/"))
		case b.Audio != nil:
			parts = append(parts, b.Audio.part(llm.Audio, "audio/"))
		case b.Video != nil:
			parts = append(parts, b.Video.part(llm.Video, "video/"))
		case b.Document != nil:
			parts = append(parts, b.Document.part(llm.Document, "application/"))
		case b.ToolUse != nil:
			parts = append(parts, llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: b.ToolUse.ID, Name: b.ToolUse.Name, Arguments: string(b.ToolUse.Input)}})
		case b.ToolResult != nil:
			parts = append(parts, llm.Part{Kind: llm.ToolResult, Result: &llm.Result{CallID: b.ToolResult.ID, Failed: b.ToolResult.Status == "error", Parts: converseParts(b.ToolResult.Content)}})
		case b.Reasoning != nil:
			text := &b.Reasoning.Text
			parts = append(parts, llm.Part{Kind: llm.Reasoning, Text: text.Text, Signature: text.Signature, Signer: "bedrock", Redacted: b.Reasoning.Redacted})
		case b.Cache != nil && len(parts) > 0:
			parts[len(parts)-1].Cache = &llm.Cache{TTL: b.Cache.TTL}
		}
	}
	return parts
}

func (m *converseMedia) part(kind llm.PartKind, family string) llm.Part {
	format := strings.NewReplacer("mpeg3", "mpeg", "txt", "plain").Replace(m.Format)
	if format == "plain" {
		family = "text/"
	}
	media := &llm.Media{MIME: family + format, Base64: m.Source.Bytes, URL: m.Source.S3.URI, Context: m.Context, Cite: m.Citations.Enabled}
	if m.Name != "document" { // what stands for no name
		media.Name = m.Name
	}
	return llm.Part{Kind: kind, Media: media}
}
