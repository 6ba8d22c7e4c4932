package responses

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/openai/openai-go/v3/responses"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

// rich is an answer with everything: thought with another's proof, a message of several
// parts, parallel calls without ids.
func rich() *llm.Answer {
	return &llm.Answer{
		ID: "up_1", Model: "big", Counted: true, Usage: money.Tokens{Input: 3, CacheRead: 4, CacheWrite5m: 2, Output: 5, Reasoning: 6},
		Choices: []llm.Choice{{
			Parts: []llm.Part{
				{Kind: llm.Reasoning, Text: "Hm \"so\"", Signature: "SIG.=", Signer: "anthropic"},
				{Kind: llm.Reasoning, Redacted: "RED", Signer: "anthropic"},
				{Kind: llm.Text, Text: "It is\n", Citations: []llm.Citation{{Kind: "web", URL: "https://a.example/", Title: "A", Start: 1, End: 2, Of: "answer"}}},
				{Kind: llm.Text, Text: "warm."},
				{Kind: llm.ToolCall, Call: &llm.Call{ID: "call_a", Name: "f", Arguments: `{"x":1}`}},
				{Kind: llm.ToolCall, Call: &llm.Call{Name: "g"}, Signature: "GEM", Signer: "gemini"},
			},
			Stop: llm.Stop{Reason: llm.StopTools, Word: "tool_use"},
		}},
	}
}

const richAsk = `{"model":"m","stream":true,"input":[{"role":"user","content":"hi"}],"instructions":"be brief","temperature":0.5,` +
	`"metadata":{"fairlead_task":"t","k":"v"},"tools":[{"type":"function","name":"f"},{"type":"web_search"}],"tool_choice":"required","reasoning":{"effort":"low"}}`

func TestWriter_IsReadByTheSDK(t *testing.T) {
	t.Parallel()
	req := decode(t, richAsk)
	stream, w := write(req, rich().Deltas()...)
	if len(w.Lost()) > 0 {
		t.Errorf("lost %v", w.Lost())
	}
	events := sdkEvents(t, stream)
	text := map[string]*strings.Builder{}
	added, finished := map[string]bool{}, map[string]bool{}
	for i, ev := range events {
		if ev.SequenceNumber != int64(i) {
			t.Errorf("event %d %s has sequence_number %d", i, ev.Type, ev.SequenceNumber)
		}
		switch ev.Type {
		case "response.output_item.added":
			added[ev.Item.ID] = true
			if int(ev.OutputIndex) != len(added)-1 {
				t.Errorf("item %s has output_index %d", ev.Item.ID, ev.OutputIndex)
			}
		case "response.output_item.done":
			finished[ev.Item.ID] = true
		case "response.output_text.delta", "response.reasoning_summary_text.delta", "response.function_call_arguments.delta":
			if !added[ev.ItemID] || finished[ev.ItemID] {
				t.Errorf("event %d: a delta of %s outside of its item", i, ev.ItemID)
			}
			if text[ev.ItemID] == nil {
				text[ev.ItemID] = &strings.Builder{}
			}
			text[ev.ItemID].WriteString(ev.Delta)
		case "response.function_call_arguments.done":
			if ev.Arguments != text[ev.ItemID].String() {
				t.Errorf("%s: done %q, deltas %q", ev.ItemID, ev.Arguments, text[ev.ItemID])
			}
		}
	}
	if diff := cmp.Diff(added, finished); diff != "" {
		t.Errorf("items added and done (-added +done):\n%s", diff)
	}
	last := events[len(events)-1]
	if events[0].Type != "response.created" || events[1].Type != "response.in_progress" || last.Type != "response.completed" {
		t.Errorf("%s, %s … %s", events[0].Type, events[1].Type, last.Type)
	}
	whole, lost := WriteAnswer(req, rich())
	if len(lost) > 0 || last.Response.RawJSON() != string(whole) {
		t.Errorf("the stream ends with\n%s, the plain answer is\n%s, lost %v", last.Response.RawJSON(), whole, lost)
	}
	sdkResponse(t, whole)
	accumulated(t, stream)
}

// accumulated lets the SDK's own accumulator, which is strict about indexes and ids, put
// the items together.
func accumulated(t *testing.T, stream string) {
	t.Helper()
	var a sdk.ResponseAccumulator
	for _, data := range testkit.EventData([]byte(stream)) {
		var ev sdk.ResponsesServerEventUnion
		if err := json.Unmarshal(data, &ev); err != nil {
			t.Fatal(err)
		}
		if ev.Type == "response.completed" { // which would replace what the pieces gave
			break
		}
		if err := a.AddEvent(ev); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
	}
	got := a.Snapshot()
	if len(got.Output) != 6 || got.OutputText() != "It is\nwarm." || got.Output[3].Arguments != `{"x":1}` || got.Output[4].Arguments != "{}" || got.ResponseID != "up_1" {
		t.Errorf("%+v", got)
	}
}

// sdkResponse judges the plain form of rich.
func sdkResponse(t *testing.T, body []byte) {
	t.Helper()
	var res sdk.Response
	if err := json.Unmarshal(body, &res); err != nil {
		t.Fatal(err)
	}
	if res.ID != "up_1" || res.Model != "big" || res.Status != "completed" || res.OutputText() != "It is\nwarm." || res.CreatedAt != 1700000000 {
		t.Errorf("%s", body)
	}
	u := res.Usage
	if u.InputTokens != 9 || u.InputTokensDetails.CachedTokens != 4 || u.OutputTokens != 11 || u.OutputTokensDetails.ReasoningTokens != 6 || u.TotalTokens != 20 {
		t.Errorf("%+v", u)
	}
	var kinds []string
	for _, it := range res.Output {
		kinds = append(kinds, it.Type)
	}
	if diff := cmp.Diff([]string{"reasoning", "reasoning", "message", "function_call", "function_call", "reasoning"}, kinds); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	thought, message, second, proof := res.Output[0].AsReasoning(), res.Output[2].AsMessage(), res.Output[4].AsFunctionCall(), res.Output[5].AsReasoning()
	if thought.Summary[0].Text != `Hm "so"` || thought.EncryptedContent != "fairlead.anthropic.SIG.=" {
		t.Errorf("%s", thought.RawJSON())
	}
	if note := message.Content[0].Annotations[0].AsURLCitation(); note.URL != "https://a.example/" || note.EndIndex != 2 {
		t.Errorf("%s", message.RawJSON())
	}
	if second.CallID == "" || second.Arguments != "{}" || proof.ID != "rs_fl_"+second.CallID || proof.EncryptedContent != "fairlead.gemini.GEM" {
		t.Errorf("%s %s", second.RawJSON(), proof.RawJSON())
	}
	if res.Metadata["k"] != "v" || len(res.Metadata) != 1 || res.Temperature != 0.5 || len(res.Tools) != 2 || res.Instructions.OfString != "be brief" {
		t.Errorf("the echo: %s", body)
	}
}

func TestWriter_KeepsToThePublishersDescription(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	for name, body := range map[string]string{"rich": richAsk, "bare": ask, "in lines": strings.ReplaceAll(richAsk, ",", ",\r\n")} {
		stream, _ := write(decode(t, body), rich().Deltas()...)
		for _, data := range testkit.EventData([]byte(stream)) {
			if err := spec.ValidateChunk("/responses", data); err != nil {
				t.Errorf("%s: %s: %v", name, data, err)
			}
		}
		whole, _ := WriteAnswer(decode(t, body), rich())
		if err := spec.ValidateResponse("/responses", whole); err != nil {
			t.Errorf("%s: %s: %v", name, whole, err)
		}
	}
}

func TestWriter_SaysWhyTheAnswerEnded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kind   llm.PartKind
		stop   llm.StopReason
		status sdk.ResponseStatus
		reason string
		last   string
	}{
		"end":             {llm.Text, llm.StopEnd, "completed", "", "response.completed"},
		"sequence":        {llm.Text, llm.StopSequence, "completed", "", "response.completed"},
		"length":          {llm.Text, llm.StopLength, "incomplete", "max_output_tokens", "response.incomplete"},
		"filter":          {llm.Text, llm.StopFilter, "incomplete", "content_filter", "response.incomplete"},
		"refusal, silent": {llm.Text, llm.StopRefusal, "incomplete", "content_filter", "response.incomplete"},
		"refusal":         {llm.Refusal, llm.StopRefusal, "completed", "", "response.completed"},
		"unknown":         {llm.Text, llm.StopOther, "completed", "", "response.completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &llm.Answer{Choices: []llm.Choice{{Parts: []llm.Part{{Kind: tc.kind, Text: "x"}}, Stop: llm.Stop{Reason: tc.stop}}}}
			stream, _ := write(decode(t, ask), a.Deltas()...)
			events := sdkEvents(t, stream)
			last := events[len(events)-1]
			res := last.Response
			if last.Type != tc.last || res.Status != tc.status || res.IncompleteDetails.Reason != tc.reason {
				t.Errorf("%s %s %s", last.Type, res.Status, res.IncompleteDetails.Reason)
			}
			if got := res.Output[0].Status; got != string(tc.status) {
				t.Errorf("the item is %s", got)
			}
			if res.JSON.Usage.Valid() {
				t.Error("usage that nobody counted")
			}
		})
	}
}

func TestWriter_TakesLatePiecesOfInterleavedCalls(t *testing.T) {
	t.Parallel()
	call := func(block int, id string) []llm.Delta {
		return []llm.Delta{{Kind: llm.DeltaOpen, Block: block, Part: llm.Part{Kind: llm.ToolCall, Call: &llm.Call{ID: id, Name: "f"}}}}
	}
	piece := func(block int, text string) llm.Delta {
		return llm.Delta{Kind: llm.DeltaPiece, Block: block, Text: []byte(text)}
	}
	deltas := append([]llm.Delta{{Kind: llm.DeltaBegin, ID: "r"}}, call(0, "a")...)
	deltas = append(deltas, piece(0, `{"x"`), llm.Delta{Kind: llm.DeltaClose})
	deltas = append(deltas, call(1, "b")...)
	deltas = append(deltas, piece(1, `{}`), piece(0, `:1}`), llm.Delta{Kind: llm.DeltaClose, Block: 1},
		llm.Delta{Kind: llm.DeltaStop, Stop: llm.Stop{Reason: llm.StopTools}}, llm.Delta{Kind: llm.DeltaUsage, Usage: money.Tokens{Input: 1}})
	stream, _ := write(decode(t, ask), deltas...)
	events := sdkEvents(t, stream)
	res := events[len(events)-1].Response
	if res.Output[0].Arguments.OfString != `{"x":1}` || res.Output[1].Arguments.OfString != `{}` || res.Usage.InputTokens != 1 {
		t.Errorf("%s", res.RawJSON())
	}
}

func TestWriter_TellsOfAnErrorWithTheNextNumber(t *testing.T) {
	t.Parallel()
	w := NewWriter(decode(t, ask))
	out := w.Append(nil, &llm.Delta{Kind: llm.DeltaBegin, ID: "r"})
	out = w.Fail(out, &llm.Error{Kind: llm.Cut, Message: "the stream \"broke\""})
	out = w.Append(out, &llm.Delta{Kind: llm.DeltaPing})
	out = w.End(out)
	events := sdkEvents(t, string(out))
	last := events[len(events)-1]
	if len(events) != 3 || last.Type != "error" || last.SequenceNumber != 2 || last.Message != `the stream "broke"` || last.Code != "stream_cut" {
		t.Errorf("%s", out)
	}
	if err := testkit.OpenAISpec(t).ValidateChunk("/responses", []byte(last.RawJSON())); err != nil {
		t.Error(err)
	}
}

func TestWriter_LosesWhatTheDialectCannotShow(t *testing.T) {
	t.Parallel()
	a := &llm.Answer{Choices: []llm.Choice{
		{Parts: []llm.Part{
			{Kind: llm.Text, Text: "x", Citations: []llm.Citation{{Kind: "document", Quote: "q", Document: 1}}},
			{Kind: llm.Other, Raw: []byte(`{"type":"server_tool_use"}`), Dialect: "anthropic"},
		}},
		{Parts: []llm.Part{{Kind: llm.Text, Text: "second"}}},
	}}
	body, lost := WriteAnswer(decode(t, ask), a)
	if diff := cmp.Diff(llm.Losses{llm.FieldCitations, llm.FieldOther, llm.FieldN}, lost); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(string(body), "second") || strings.Contains(string(body), "server_tool_use") {
		t.Errorf("%s", body)
	}
}

func TestWriter_ShowsLogprobs(t *testing.T) {
	t.Parallel()
	const one = `{"token":"x","logprob":-0.5,"bytes":[120],"top_logprobs":[]}`
	a := &llm.Answer{Choices: []llm.Choice{{Parts: []llm.Part{{Kind: llm.Text, Text: "x"}}, Logprobs: []byte(`{"content":[` + one + `,` + one + `],"refusal":null}`)}}}
	body, lost := WriteAnswer(decode(t, ask), a)
	if !strings.Contains(string(body), `"logprobs":[`+one+`,`+one+`]`) || lost != nil {
		t.Errorf("%s, lost %v", body, lost)
	}
}
