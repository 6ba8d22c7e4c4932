package responses

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// WriteAnswer writes a plain answer of this dialect, and what it cannot show: the
// response that the stream of the same answer would end with.
func WriteAnswer(req *llm.Request, a *llm.Answer) (body []byte, lost llm.Losses) {
	w := NewWriter(req)
	w.tier = a.Tier
	var events []byte
	for _, d := range a.Deltas() {
		events = w.Append(events[:0], &d)
	}
	return w.appendResponse(nil, w.status()), w.lost
}

// appendResponse writes the response object: what is known of the answer so far, and
// what the client asked for, as far as it is to be echoed.
func (w *Writer) appendResponse(dst []byte, status string) []byte {
	dst = rawjson.AppendString(append(dst, `{"id":`...), w.id)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), w.req.Time.Unix(), 10)
	dst = append(append(append(dst, `,"status":"`...), status...), `","background":false,"error":null,"incomplete_details":`...)
	dst = append(dst, w.incompleteDetails(status)...)
	dst = rawjson.AppendString(append(dst, `,"model":`...), w.model)
	dst = append(dst, `,"output":[`...)
	if status != inProgress {
		for i, it := range w.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = it.appendItem(dst, w.itemStatus(it))
		}
	}
	dst = append(dst, ']')
	if knownTiers[w.tier] {
		dst = rawjson.AppendString(append(dst, `,"service_tier":`...), w.tier)
	}
	if status != inProgress && w.counted {
		dst = appendUsage(append(dst, `,"usage":`...), w.usage)
	}
	if w.echo == nil {
		w.echo = oneLine(appendEcho(nil, w.req))
	}
	return append(append(dst, w.echo...), '}')
}

// knownTiers are this dialect's words for a service tier; other providers have others.
var knownTiers = map[string]bool{
	"auto": true, "default": true, "flex": true, "scale": true, "priority": true, "fast": true, "ultrafast": true,
}

// The statuses of a response, and of an item.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
)

// status says how the answer ended.
func (w *Writer) status() string {
	if w.cutShort() == "" {
		return completed
	}
	return incomplete
}

// cutShort is why an answer is not whole, "" where it is. A refusal that was said in
// words speaks for itself.
func (w *Writer) cutShort() string {
	switch w.stop.Reason {
	case llm.StopLength:
		return "max_output_tokens"
	case llm.StopFilter:
		return "content_filter"
	case llm.StopRefusal:
		if !w.refused {
			return "content_filter"
		}
	}
	return ""
}

func (w *Writer) incompleteDetails(status string) string {
	if status != incomplete {
		return "null"
	}
	return `{"reason":"` + w.cutShort() + `"}`
}

// itemStatus is incomplete for the item that the end of the answer cut.
func (w *Writer) itemStatus(it *shown) string {
	if it.index == len(w.items)-1 && w.status() == incomplete {
		return incomplete
	}
	return completed
}

// echoes are the fields that a response repeats, and what it says where they were not
// set.
var echoes = [...]struct{ name, unset string }{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"parallel_tool_calls", "true"},
	{"previous_response_id", "null"}, {"prompt_cache_key", "null"}, {"reasoning", `{"effort":null,"summary":null}`},
	{"safety_identifier", "null"}, {"temperature", "1"}, {"text", `{"format":{"type":"text"}}`}, {"tool_choice", `"auto"`},
	{"top_logprobs", "0"}, {"top_p", "1"}, {"truncation", `"disabled"`},
}

// appendEcho writes what the client asked for. Nothing is stored, whatever it asked.
func appendEcho(dst []byte, req *llm.Request) []byte {
	for _, f := range echoes {
		dst = append(append(append(dst, `,"`...), f.name...), `":`...)
		if v, _ := req.Doc.Get(f.name); v.Kind() != rawjson.Invalid && v.Kind() != rawjson.Null {
			dst = append(dst, v.Raw()...)
		} else {
			dst = append(dst, f.unset...)
		}
	}
	if v, _ := req.Doc.Get("user"); v.Kind() == rawjson.String {
		dst = append(append(dst, `,"user":`...), v.Raw()...)
	}
	dst = append(dst, `,"store":false,"tools":[`...)
	tools, _ := req.Doc.Get("tools")
	dst = appendTools(dst, tools)
	dst = append(dst, `],"metadata":{`...)
	metadata, _ := req.Doc.Get("metadata")
	first := true
	for name, v := range metadata.Fields() {
		if wire.IsTag(name) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(rawjson.AppendString(dst, name), ':'), v.Raw()...)
	}
	return append(dst, '}')
}

// appendTools repeats the tools. Of functions the response has fields that the request
// may leave out.
func appendTools(dst []byte, tools rawjson.Value) []byte {
	first := true
	for tool := range tools.Items() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		kind, _ := tool.Get("type")
		doc, err := rawjson.Check(tool.Raw(), answerLimits)
		if err != nil || !kind.Is(typeFunction) {
			dst = append(dst, tool.Raw()...)
			continue
		}
		edit := doc.Edit()
		for _, name := range [...]string{"parameters", "strict"} {
			if _, ok := doc.Get(name); !ok {
				edit.Set([]byte("null"), name)
			}
		}
		whole, err := edit.Apply()
		if err != nil {
			whole = tool.Raw()
		}
		dst = append(dst, whole...)
	}
	return dst
}

// appendUsage writes token counts: totals that include the classes beside them.
func appendUsage(dst []byte, t money.Tokens) []byte {
	n := func(before string, v int64) { dst = strconv.AppendInt(append(dst, before...), v, 10) }
	n(`{"input_tokens":`, t.TotalInput())
	n(`,"input_tokens_details":{"cached_tokens":`, t.CacheRead+t.AudioCacheRead)
	n(`,"cache_write_tokens":`, t.CacheWrite5m+t.CacheWrite1h)
	n(`},"output_tokens":`, t.TotalOutput())
	n(`,"output_tokens_details":{"reasoning_tokens":`, t.Reasoning)
	n(`},"total_tokens":`, t.Total())
	return append(dst, '}')
}
