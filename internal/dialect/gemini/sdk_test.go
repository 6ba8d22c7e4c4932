package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// rig answers Google's own SDK with what this codec writes.
type rig struct {
	client *genai.Client
	answer llm.Answer
	fail   *llm.Error
	asked  *llm.Request
	prompt *llm.Prompt
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, h *http.Request) { r.serve(t, w, h) }))
	t.Cleanup(server.Close)
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "k", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: server.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.client = client
	return r
}

var methods = map[string]llm.Surface{
	"generateContent": llm.Chat, "streamGenerateContent": llm.Chat, "countTokens": llm.CountTokens,
	"embedContent": llm.Embeddings, "batchEmbedContents": llm.Embeddings,
}

func (r *rig) serve(t *testing.T, w http.ResponseWriter, h *http.Request) {
	t.Helper()
	body, err := io.ReadAll(h.Body)
	if err != nil {
		t.Error(err)
	}
	call := strings.TrimPrefix(h.URL.Path, "/v1beta/models/")
	model, method, _ := strings.Cut(call, ":")
	req, err := Decode(llm.Incoming{
		Surface: methods[method], Body: body, Limits: rawjson.Default(), Model: model, Stream: method == "streamGenerateContent",
		Array: h.URL.Query().Get("alt") != "sse",
	})
	if err == nil {
		req.ID, req.Time = "01J", time.Unix(1700000000, 0)
		r.asked = req
		r.prompt, err = Read(req)
	}
	if r.fail != nil {
		err = r.fail
	}
	switch {
	case err != nil:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(wireErrors[llm.AsError(err).Kind].code))
		_, _ = w.Write(AppendError(nil, llm.AsError(err)))
	case req.Stream:
		out := NewWriter(req)
		for _, d := range r.answer.Deltas() {
			_, _ = w.Write(out.Append(nil, &d))
			w.(http.Flusher).Flush()
		}
	default:
		body, _ := WriteAnswer(req, &r.answer)
		_, _ = w.Write(body)
	}
}

func fullAnswer() llm.Answer {
	return llm.Answer{
		ID: "r1", Model: "other-1", Counted: true,
		Usage: money.Tokens{Input: 10, CacheRead: 4, Output: 5, Reasoning: 3},
		Choices: []llm.Choice{{
			Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "Hm", Signature: "sig+/=", Signer: "anthropic"},
				{Kind: llm.Text, Text: "Héllo", Citations: []llm.Citation{{URL: "https://x.example", Title: "X", Start: 1, End: 3, Of: "answer"}}},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "c1", Name: "f", Arguments: `{"x":[1]}`}},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "c2", Name: "g"}},
			},
			Stop:     llm.Stop{Reason: llm.StopTools},
			Logprobs: []byte(`{"content":[{"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[{"token":"J","logprob":-2,"bytes":[74]}]}],"refusal":null}`),
		}},
	}
}

func TestSDK_ReadsAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer = fullAnswer()
	res, err := r.client.Models.GenerateContent(t.Context(), "gemini-3-pro", genai.Text("hi"), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkFull(t, []*genai.GenerateContentResponse{res})
	if len(res.FunctionCalls()) != 2 || res.Text() != "Héllo" || res.ResponseID != "r1" || res.ModelVersion != "other-1" {
		t.Errorf("%+v", res)
	}
	if l := res.Candidates[0].LogprobsResult; l == nil || l.ChosenCandidates[0].Token != "H" || l.TopCandidates[0].Candidates[0].LogProbability != -2 {
		t.Errorf("logprobs %+v", l)
	}
}

func TestSDK_ReadsAStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer = fullAnswer()
	var all []*genai.GenerateContentResponse
	for res, err := range r.client.Models.GenerateContentStream(t.Context(), "gemini-3-pro", genai.Text("hi"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, res)
	}
	if !r.asked.Stream || r.asked.Array {
		t.Error("the SDK asks for events")
	}
	checkFull(t, all)
}

// checkFull checks a whole answer, or its chunks, for all of fullAnswer.
func checkFull(t *testing.T, all []*genai.GenerateContentResponse) {
	t.Helper()
	var text, thought string
	var signature []byte
	var calls []*genai.FunctionCall
	var last *genai.Candidate
	var usage *genai.GenerateContentResponseUsageMetadata
	for _, res := range all {
		for _, c := range res.Candidates {
			last = c
			for _, p := range c.Content.Parts {
				if p.Thought {
					thought += p.Text
				} else {
					text += p.Text
				}
				if p.FunctionCall != nil {
					calls = append(calls, p.FunctionCall)
				}
				signature = append(signature, p.ThoughtSignature...)
			}
		}
		if res.UsageMetadata != nil {
			usage = res.UsageMetadata
		}
	}
	if text != "Héllo" || thought != "Hm" || string(signature) != "fairlead.anthropic.sig+/=" {
		t.Errorf("%q, %q, %q", text, thought, signature)
	}
	if len(calls) != 2 || calls[0].ID != "c1" || calls[0].Name != "f" || calls[0].Args["x"] == nil || calls[1].Name != "g" {
		t.Errorf("calls %+v", calls)
	}
	if last.FinishReason != genai.FinishReasonStop {
		t.Errorf("finish reason %q", last.FinishReason)
	}
	g := last.GroundingMetadata
	if g == nil || g.GroundingChunks[0].Web.URI != "https://x.example" || g.GroundingSupports[0].Segment.StartIndex != 1 ||
		g.GroundingSupports[0].Segment.EndIndex != 4 || g.GroundingSupports[0].Segment.Text != "él" {
		t.Errorf("grounding %+v", g)
	}
	if usage == nil || usage.PromptTokenCount != 14 || usage.CachedContentTokenCount != 4 || usage.CandidatesTokenCount != 5 ||
		usage.ThoughtsTokenCount != 3 || usage.TotalTokenCount != 22 {
		t.Errorf("usage %+v", usage)
	}
}

func TestSDK_SendsWhatIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer = fullAnswer()
	_, err := r.client.Models.GenerateContent(t.Context(), "gemini-3-pro", []*genai.Content{
		genai.NewContentFromParts([]*genai.Part{{Text: "see"}, {InlineData: &genai.Blob{MIMEType: "image/png", Data: []byte{1, 2, 3}}}}, genai.RoleUser),
		genai.NewContentFromParts([]*genai.Part{
			{Text: "Hm", Thought: true, ThoughtSignature: []byte("fairlead.anthropic.sig+/=")},
			{FunctionCall: &genai.FunctionCall{Name: "f", Args: map[string]any{"x": 1}}, ThoughtSignature: []byte{0xff, 0xfe}},
		}, genai.RoleModel),
		genai.NewContentFromFunctionResponse("f", map[string]any{"output": "42"}, genai.RoleUser),
	}, &genai.GenerateContentConfig{
		SystemInstruction: genai.NewContentFromText("be brief", genai.RoleUser),
		Temperature:       new(float32(0.5)), TopK: new(float32(40)), MaxOutputTokens: 100, StopSequences: []string{"x"}, CandidateCount: 2,
		Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "f", Description: "d", Parameters: &genai.Schema{
			Type: genai.TypeObject, Properties: map[string]*genai.Schema{"x": {Type: genai.TypeInteger, Nullable: new(true)}}, Required: []string{"x"}}}}},
			{GoogleSearch: &genai.GoogleSearch{}}},
		ToolConfig:     &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{Mode: genai.FunctionCallingConfigModeAny}},
		ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true, ThinkingLevel: genai.ThinkingLevelHigh},
		SafetySettings: []*genai.SafetySetting{{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockNone}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := r.prompt
	if p.System[0].Text != "be brief" || *p.Sampling.Temperature != 0.5 || *p.Sampling.TopK != 40 || *p.Sampling.MaxTokens != 100 || p.Sampling.N != 2 {
		t.Errorf("%+v", p.Sampling)
	}
	if len(p.Turns) != 3 || p.Turns[0].Parts[1].Media.Base64 != "AQID" || p.Turns[2].Parts[0].Result.CallID != "call_1" {
		t.Errorf("%+v", p.Turns)
	}
	thought, call := p.Turns[1].Parts[0], p.Turns[1].Parts[1]
	if thought.Signer != "anthropic" || thought.Signature != "sig+/=" || call.Signer != Name || call.Signature != "//4=" {
		t.Errorf("%+v, %+v", thought, call)
	}
	var schema struct {
		Properties map[string]struct{ Type []string }
	}
	if err := json.Unmarshal(p.Tools[0].Schema, &schema); err != nil || strings.Join(schema.Properties["x"].Type, ",") != "integer,null" {
		t.Errorf("%s", p.Tools[0].Schema)
	}
	if p.Tools[1].Name != "googleSearch" || p.Choice.Mode != llm.ChoiceAny || p.Thinking.Effort != "high" || !*p.Thinking.Show {
		t.Errorf("%+v", p)
	}
	if strings.Join(p.Unread, ",") != "safetySettings" {
		t.Errorf("unread %q", p.Unread)
	}
	want := llm.CanChat | llm.CanTools | llm.CanVision | llm.CanManyChoices
	if r.asked.Needs != want || r.asked.MaxTokens != 100 {
		t.Errorf("needs %v", r.asked.Needs.Names())
	}
}

func TestSDK_ReadsEmbeddingsAndCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer = llm.Answer{Vectors: [][]float32{{0.5, -1}, {1e-7, 2}}, Usage: money.Tokens{Input: 7}, Counted: true}
	res, err := r.client.Models.EmbedContent(t.Context(), "gemini-embedding-001",
		[]*genai.Content{genai.NewContentFromText("a", genai.RoleUser), genai.NewContentFromText("b", genai.RoleUser)},
		&genai.EmbedContentConfig{TaskType: "RETRIEVAL_QUERY", OutputDimensionality: genai.Ptr[int32](2)})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Embeddings) != 2 || res.Embeddings[1].Values[0] != 1e-7 {
		t.Errorf("%+v", res.Embeddings)
	}
	if p := r.prompt; strings.Join(p.Texts, ",") != "a,b" || p.Purpose != "query" || p.Dimensions != 2 || len(p.Unread) > 0 {
		t.Errorf("%+v", p)
	}
	count, err := r.client.Models.CountTokens(t.Context(), "gemini-3-pro", genai.Text("hi"), nil)
	if err != nil || count.TotalTokens != 7 {
		t.Errorf("%+v, %v", count, err)
	}
}

func TestSDK_ReadsErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fail = &llm.Error{Kind: llm.RateLimited, Message: "slow down", RetryAfter: 1500 * time.Millisecond}
	_, err := r.client.Models.GenerateContent(t.Context(), "m", genai.Text("hi"), nil)
	var e genai.APIError
	if !errors.As(err, &e) || e.Code != 429 || e.Status != "RESOURCE_EXHAUSTED" || e.Message != "slow down" || e.Details[0]["retryDelay"] != "2s" {
		t.Errorf("%v", err)
	}
	for _, err := range r.client.Models.GenerateContentStream(t.Context(), "m", genai.Text("hi"), nil) {
		if !errors.As(err, &e) || e.Code != 429 {
			t.Errorf("%v", err)
		}
	}
}

func TestSDK_HearsOfAnErrorWithinAStream(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := NewWriter(&llm.Request{ID: "01J", Model: "m"})
		for _, d := range []llm.Delta{{Kind: llm.DeltaBegin}, {Kind: llm.DeltaOpen, Part: llm.Part{Kind: llm.Text}}, {Kind: llm.DeltaPiece, Text: []byte("Hel")}} {
			_, _ = w.Write(out.Append(nil, &d))
		}
		_, _ = w.Write(out.Fail(nil, &llm.Error{Kind: llm.Cut, Message: "it broke off"}))
	}))
	t.Cleanup(server.Close)
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{APIKey: "k", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	var failed error
	for res, err := range client.Models.GenerateContentStream(t.Context(), "m", genai.Text("hi"), nil) {
		if err != nil {
			failed = err
			break
		}
		text += res.Text()
		if res.Candidates[0].FinishReason != "" {
			t.Error("a stream that broke off has no finish reason")
		}
	}
	var e genai.APIError
	if text != "Hel" || !errors.As(failed, &e) || e.Code != 502 || e.Message != "it broke off" {
		t.Errorf("%q, %v", text, failed)
	}
}

// sent is the body of generateContent in the SDK's own types.
type sent struct {
	Contents          []*genai.Content        `json:"contents"`
	SystemInstruction *genai.Content          `json:"systemInstruction"`
	Tools             []*genai.Tool           `json:"tools"`
	ToolConfig        *genai.ToolConfig       `json:"toolConfig"`
	GenerationConfig  *genai.GenerationConfig `json:"generationConfig"`
	ServiceTier       genai.ServiceTier       `json:"serviceTier"`
}

// readSent reads what we send strictly by the SDK's types.
func readSent(t *testing.T, body []byte) (s sent) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return s
}
