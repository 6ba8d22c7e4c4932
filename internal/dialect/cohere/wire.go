// Package cohere is the codec of Cohere's API v2: chat, embeddings and rerank of targets,
// and rerank of clients, in the form that Jina, Together, vLLM and others share.
//
// Bytes in, values out: it opens no connection and knows no target. Source of the wire
// format: Cohere's API reference (https://docs.cohere.com/reference/chat, chat-stream,
// embed, rerank) and its SDK for Go (v2.15); for the other forms of a rerank answer
// https://jina.ai/reranker, https://docs.voyageai.com/docs/reranker and
// https://huggingface.co/docs/text-embeddings-inference. Start reading at Decode for
// clients, at Write, Answer and StreamDecoder for targets.
package cohere

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// Name is what configuration and data files call this dialect.
const Name = "cohere"

// Names are this dialect's own names of what a writer may lose.
var Names = map[llm.Field]string{
	llm.FieldTopP: "p", llm.FieldTopK: "k", llm.FieldStop: "stop_sequences", llm.FieldStrict: "strict_tools",
	llm.FieldDimensions: "output_dimension",
}

// Path is where an upstream answers for a surface, below its base URL (which ends in /v2,
// or in /v1 for others than Cohere).
func Path(req *llm.Request, _ llm.Options) string {
	switch req.Surface {
	case llm.Chat:
		return "/chat"
	case llm.Embeddings:
		return "/embed"
	case llm.Rerank:
		return "/rerank"
	}
	return ""
}

// chatRequest is the body of a chat request.
type chatRequest struct {
	Model            string           `json:"model"`
	Messages         []chatMessage    `json:"messages"`
	Stream           bool             `json:"stream,omitzero"`
	Tools            []chatTool       `json:"tools,omitzero"`
	ToolChoice       string           `json:"tool_choice,omitzero"`
	StrictTools      bool             `json:"strict_tools,omitzero"`
	Documents        []chatDocument   `json:"documents,omitzero"`
	CitationOptions  *citationOptions `json:"citation_options,omitzero"`
	ResponseFormat   *responseFormat  `json:"response_format,omitzero"`
	Thinking         *thinking        `json:"thinking,omitzero"`
	MaxTokens        *int64           `json:"max_tokens,omitzero"`
	StopSequences    []string         `json:"stop_sequences,omitzero"`
	Temperature      *float64         `json:"temperature,omitzero"`
	P                *float64         `json:"p,omitzero"`
	K                *int64           `json:"k,omitzero"`
	Seed             *int64           `json:"seed,omitzero"`
	FrequencyPenalty *float64         `json:"frequency_penalty,omitzero"`
	PresencePenalty  *float64         `json:"presence_penalty,omitzero"`
}

type chatMessage struct {
	Role       string     `json:"role"`
	Content    any        `json:"content,omitempty"` // a string or []chatPart
	ToolPlan   string     `json:"tool_plan,omitzero"`
	ToolCalls  []chatCall `json:"tool_calls,omitzero"`
	ToolCallID string     `json:"tool_call_id,omitzero"`
}

type chatPart struct {
	Type     string     `json:"type"`
	Text     string     `json:"text,omitzero"`
	Thinking string     `json:"thinking,omitzero"`
	ImageURL *chatImage `json:"image_url,omitzero"`
}

type chatImage struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitzero"`
}

type chatCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function chatFuncCall `json:"function"`
}

type chatFuncCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type chatTool struct {
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Parameters  jsontext.Value `json:"parameters"`
}

type chatDocument struct {
	ID   string       `json:"id"`
	Data documentData `json:"data"`
}

type documentData struct {
	Title   string `json:"title,omitzero"`
	Text    string `json:"text"`
	Context string `json:"context,omitzero"`
}

type citationOptions struct {
	Mode string `json:"mode"`
}

type responseFormat struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"json_schema,omitzero"`
}

type thinking struct {
	Type   string `json:"type"`
	Budget int64  `json:"token_budget,omitzero"`
}

// embedRequest is the body of an embeddings request.
type embedRequest struct {
	Model      string   `json:"model"`
	Texts      []string `json:"texts"`
	InputType  string   `json:"input_type"`
	Types      []string `json:"embedding_types"`
	Dimensions int      `json:"output_dimension,omitzero"`
}

// rerankRequest is the body of a rerank request that another dialect asked.
type rerankRequest struct {
	Model     string   `json:"model"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"`
	TopN      int      `json:"top_n,omitzero"`
}
