package openai

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
)

func user(parts ...llm.Part) *llm.Prompt {
	return &llm.Prompt{Surface: llm.Chat, Turns: []llm.Turn{{Role: llm.User, Parts: parts}}}
}

func TestWrite_WhatThePublishersAPILacksIsSentWhereItIsTaken(t *testing.T) {
	t.Parallel()
	k := int64(3)
	p := user(llm.Part{Kind: llm.Text, Text: "hi"})
	p.Sampling.TopK = &k
	p.Turns = append(p.Turns, llm.Turn{Role: llm.Assistant, Parts: []llm.Part{{Kind: llm.Reasoning, Text: "Hm", Signature: "s", Signer: "anthropic"}, {Kind: llm.Text, Text: "yes"}}})
	for name, tc := range map[string]struct {
		takes []string
		want  string
		lost  llm.Losses
	}{
		"strict": {nil, `{"model":"t","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}]}`,
			llm.Losses{llm.FieldTopK, llm.FieldReasoning, llm.FieldSignature}},
		"vLLM": {[]string{"top_k", "reasoning_content"}, `{"model":"t","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes","reasoning_content":"Hm"}],"top_k":3}`,
			llm.Losses{llm.FieldSignature}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost, err := Write(p, false, llm.Options{Model: "t", Takes: tc.takes})
			if diff := cmp.Diff(tc.want, string(body)); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(tc.lost, lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrite_ADocumentOfTextIsWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		media llm.Media
		want  string
		lost  llm.Losses
	}{
		"text":      {llm.Media{MIME: "text/plain", Base64: "aGk=", Name: "a.txt"}, `[{"type":"text","text":"a.txt\n\nhi"}]`, nil},
		"no base64": {llm.Media{MIME: "text/plain", Base64: "?"}, `[{"type":"file","file":{"file_data":"data:text/plain;base64,?","filename":"document.pdf"}}]`, nil},
		"PDF":       {llm.Media{Base64: "JVBERg==", Name: "b.pdf"}, `[{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERg==","filename":"b.pdf"}}]`, nil},
		"elsewhere": {llm.Media{URL: "https://x.test/a.pdf"}, "", llm.Losses{llm.FieldDocument}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost, err := Write(user(llm.Part{Kind: llm.Document, Media: &tc.media}), false, llm.Options{Model: "t"})
			if err != nil || !strings.Contains(string(body), tc.want) {
				t.Errorf("%v %s", err, body)
			}
			if diff := cmp.Diff(tc.lost, lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrite_CompletionsLoseWhatTheyHaveNoFieldFor(t *testing.T) {
	t.Parallel()
	k := int64(3)
	body, lost, err := Write(&llm.Prompt{Surface: llm.Completions, Texts: []string{"once"}, Sampling: llm.Sampling{TopK: &k}}, true, llm.Options{Model: "t", AskUsage: true})
	if want := `{"model":"t","prompt":"once","stream":true,"stream_options":{"include_usage":true}}`; err != nil || string(body) != want || len(lost) != 1 {
		t.Errorf("%v %v %s", err, lost, body)
	}
}

func TestWriter_LogprobsStayOnOneLine(t *testing.T) {
	t.Parallel()
	w := NewWriter(&llm.Request{Surface: llm.Chat, ID: "1"})
	out := w.Append(nil, &llm.Delta{Kind: llm.DeltaBegin})
	out = w.Append(out, &llm.Delta{Kind: llm.DeltaLogprobs, Raw: []byte("{\n \"content\": [ ]\r\n}")})
	if bytes.Count(out, []byte("\n")) != 4 || !bytes.Contains(out, []byte(`"logprobs":{"content":[]}`)) {
		t.Errorf("%s", out)
	}
}
