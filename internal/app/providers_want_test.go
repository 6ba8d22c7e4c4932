package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/sse"
)

// result is what came of an answer: what the client reads of the bytes that it sees,
// and what is billed.
func (f *fixture) result(client *dialect.Codec, req *llm.Request, b *dialect.Bridge, ev llm.Event, seen []byte, price *pricing) string {
	f.t.Helper()
	var out strings.Builder
	answer, err := understood(client, req, seen)
	if err != nil {
		f.t.Errorf("the client cannot read %s: %v", seen, err)
		return ""
	}
	for _, c := range answer.Choices {
		for _, p := range c.Parts {
			switch p.Kind {
			case llm.Text:
				fmt.Fprintf(&out, "text %q\n", p.Text)
			case llm.Reasoning:
				fmt.Fprintf(&out, "thought %q\n", p.Text)
			case llm.ToolCall:
				fmt.Fprintf(&out, "call %s %s\n", p.Call.Name, p.Call.Arguments)
			default:
				fmt.Fprintf(&out, "%v\n", p.Kind)
			}
		}
		fmt.Fprintf(&out, "stop %s\n", c.Stop.Reason)
	}
	for _, v := range answer.Vectors {
		fmt.Fprintf(&out, "vector %v\n", v)
	}
	for _, r := range answer.Ranks {
		fmt.Fprintf(&out, "rank %d %s\n", r.Index, strconv.FormatFloat(r.Score, 'g', -1, 64))
	}
	if ev.Marks&llm.MarkUsage != 0 {
		usage, err := json.Marshal(ev.Usage)
		if err != nil {
			f.t.Fatal(err)
		}
		fmt.Fprintf(&out, "usage %s\n", usage)
		cost := money.Cost{}
		if price.fixed != nil {
			cost = price.fixed.Cost(ev.Usage)
		}
		fmt.Fprintf(&out, "cost %s %s\n", cost.USD, cost.State)
	} else {
		out.WriteString("usage not told\n")
	}
	if len(b.Lost) > 0 {
		fmt.Fprintf(&out, "lost %s\n", strings.Join(b.Lost, " "))
	}
	return out.String()
}

// understood reads what the client was shown, with its own codec.
func understood(client *dialect.Codec, req *llm.Request, seen []byte) (*llm.Answer, error) {
	opt := llm.Options{Translate: true}
	if !req.Stream {
		ev, err := client.Answer(req, opt, seen)
		return ev.Answer, err
	}
	decoder, frames := client.Stream(req, opt), sse.NewReader(bytes.NewReader(seen), 0)
	var c llm.Collect
	for {
		raw, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			return nil, err
		}
		for _, d := range ev.Deltas {
			c.Add(d)
		}
	}
	if !decoder.Complete() {
		return nil, errors.New("it is not complete")
	}
	return c.Whole(), nil
}
