package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// blame tells what a target refuses from what went wrong otherwise.
func blame(a *answered) string {
	switch llm.Kind(a.kind) {
	case llm.Invalid, llm.Unsupported, llm.NotFound, llm.TooLong, llm.TooLarge:
		return refused
	}
	if strings.Contains(a.message(), "not support") { // llama.cpp's server says so with a 500
		return refused
	}
	return failed
}

// message is the error's own words.
func (a *answered) message() string {
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(a.body, &e) // what is no error in this form has no message
	return cmp.Or(e.Error.Message, e.Message, http.StatusText(a.status))
}

// completion is what is read of an answer in OpenAI's form.
type completion struct {
	Choices []struct {
		Text    string `json:"text"`
		Message struct {
			Content   string `json:"content"`
			ToolCalls []struct {
				Function struct {
					Name      string `json:"name"`
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"message"`
		FinishReason string          `json:"finish_reason"`
		Logprobs     json.RawMessage `json:"logprobs"`
	} `json:"choices"`
	Usage *struct {
		CompletionTokens int64 `json:"completion_tokens"`
	} `json:"usage"`
}

func (a *answered) read() (c completion) {
	_ = json.Unmarshal(a.body, &c) // judged by what is missing then
	return c
}

func (a *answered) stop() string {
	if c := a.read(); len(c.Choices) > 0 {
		return c.Choices[0].FinishReason
	}
	return ""
}

// print writes the report within 100 columns.
func (r *probes) print(w io.Writer) error {
	var rows [][]string
	for i := range r.Probes {
		p := &r.Probes[i]
		cost := costText(money.Cost{USD: p.Cost, State: p.State})
		if p.Outcome == skipped {
			cost = "–"
		}
		rows = append(rows, []string{p.Probe, orDash(p.Catalog), p.Outcome, short(cost, 14), short(oneLine(p.Detail), 46)})
	}
	if err := table(w, []string{"PROBE", "CATALOG", "TARGET", "COST", "WHAT CAME"}, rows); err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\nall together %s\n", costText(money.Cost{USD: r.Cost, State: r.State}))
	for i := range r.Probes {
		if p := &r.Probes[i]; p.Advice != "" {
			out.WriteString(folded(strings.Fields("■ "+p.Advice), 98, 2) + "\n")
			if p.Outcome == refused {
				out.WriteString("  " + folded(strings.Fields(fmt.Sprintf("it answered %d: %s", p.Status, p.Detail)), 96, 2) + "\n")
			}
		}
	}
	if r.Changes == "" {
		out.WriteString("the catalog says the same\n")
	} else {
		fmt.Fprintf(&out, "in fairlead.yaml, at %s: %s\n", r.Target, r.Changes)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// events are the chunks of a streamed answer.
func (a *answered) events() (chunks []streamed) {
	events := sse.NewReader(bytes.NewReader(a.body), sse.DefaultMaxEvent)
	for {
		ev, err := events.Next()
		if err != nil {
			return chunks
		}
		var c streamed
		if !ev.Comment && json.Unmarshal(ev.Data, &c) == nil {
			chunks = append(chunks, c)
		}
	}
}

type streamed struct {
	Choices []json.RawMessage `json:"choices"`
	Usage   *struct{}         `json:"usage"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func hasUsage(c streamed) bool { return c.Usage != nil }

func countUsage(chunks []streamed) bool { return slices.ContainsFunc(chunks, hasUsage) }
