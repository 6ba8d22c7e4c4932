package responses

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

// StreamDecoder reads the events of one streamed answer. It is used once, by one
// goroutine.
type StreamDecoder struct {
	req      *llm.Request
	neutral  *deltas     // set where another dialect will write the answer
	doc      rawjson.Doc // of the event at hand
	sequence int64       // the number that the next event should have
	complete bool
	answerID string
}

// NewStream starts the decoder of the answer to req.
func NewStream(req *llm.Request, opt llm.Options) *StreamDecoder {
	d := &StreamDecoder{req: req}
	if opt.Translate {
		d.neutral = new(deltas)
	}
	return d
}

// eventType is what an event of a name is: its mark, and what it says in neutral words.
type eventType struct {
	mark llm.Mark
	read func(*deltas, *rawjson.Doc)
}

// eventTypes are the events that are known; any other is passed on. Those of tools that
// the provider runs say nothing in neutral words: their item does, when it is done.
var eventTypes = map[string]eventType{
	"response.created":     {llm.MarkStart, nil},
	"response.queued":      {llm.MarkStart, nil},
	"response.in_progress": {llm.MarkStart, nil},

	"response.content_part.added": {llm.MarkStart, nil},
	"response.content_part.done":  {llm.MarkContent, nil},
	"response.output_text.delta": {llm.MarkContent, func(d *deltas, doc *rawjson.Doc) {
		d.piece(index(doc, "output_index"), index(doc, "content_index"), llm.Text, field(doc, "delta"))
		d.logprobs(field(doc, "logprobs"))
	}},
	"response.output_text.done": {llm.MarkContent, func(d *deltas, doc *rawjson.Doc) {
		d.rest(index(doc, "output_index"), index(doc, "content_index"), llm.Text, field(doc, "text"))
	}},
	"response.output_text.annotation.added": {llm.MarkContent, func(d *deltas, doc *rawjson.Doc) {
		d.cite(d.blocks[[2]int64{index(doc, "output_index"), index(doc, "content_index")}], field(doc, "annotation"))
	}},
	"response.refusal.delta": {llm.MarkContent, func(d *deltas, doc *rawjson.Doc) {
		d.piece(index(doc, "output_index"), index(doc, "content_index"), llm.Refusal, field(doc, "delta"))
	}},
	"response.refusal.done": {llm.MarkContent, func(d *deltas, doc *rawjson.Doc) {
		d.rest(index(doc, "output_index"), index(doc, "content_index"), llm.Refusal, field(doc, "refusal"))
	}},

	"response.reasoning_summary_part.added": {llm.MarkReasoning, nil},
	"response.reasoning_summary_part.done":  {llm.MarkReasoning, nil},
	"response.reasoning_summary_text.delta": {llm.MarkReasoning, func(d *deltas, doc *rawjson.Doc) {
		d.thought(index(doc, "output_index"), index(doc, "summary_index"), field(doc, "delta"))
	}},
	"response.reasoning_summary_text.done": {llm.MarkReasoning, nil},
	"response.reasoning_text.delta": {llm.MarkReasoning, func(d *deltas, doc *rawjson.Doc) {
		d.thought(index(doc, "output_index"), index(doc, "content_index"), field(doc, "delta"))
	}},
	"response.reasoning_text.done": {llm.MarkReasoning, nil},

	"response.function_call_arguments.delta": {llm.MarkTool, func(d *deltas, doc *rawjson.Doc) {
		d.piece(index(doc, "output_index"), 0, llm.ToolCall, field(doc, "delta"))
	}},
	"response.function_call_arguments.done": {llm.MarkTool, func(d *deltas, doc *rawjson.Doc) {
		d.rest(index(doc, "output_index"), 0, llm.ToolCall, field(doc, "arguments"))
	}},
	"response.custom_tool_call_input.delta":     {llm.MarkTool, nil},
	"response.custom_tool_call_input.done":      {llm.MarkTool, nil},
	"response.mcp_call_arguments.delta":         {llm.MarkTool, nil},
	"response.mcp_call_arguments.done":          {llm.MarkTool, nil},
	"response.code_interpreter_call_code.delta": {llm.MarkTool, nil},
	"response.code_interpreter_call_code.done":  {llm.MarkTool, nil},

	"response.output_item.done": {0, func(d *deltas, doc *rawjson.Doc) {
		d.item(index(doc, "output_index"), field(doc, "item"))
	}},
	"response.output_item.added": {0, func(d *deltas, doc *rawjson.Doc) {
		it := field(doc, "item")
		if kind, _ := it.Get("type"); kind.Is(typeCall) {
			d.call(index(doc, "output_index"), it)
		}
	}},
}

func field(doc *rawjson.Doc, name string) rawjson.Value {
	v, _ := doc.Get(name)
	return v
}

func index(doc *rawjson.Doc, name string) int64 {
	n, _ := field(doc, name).Int()
	return n
}

// Next turns one server-sent event into an llm.Event. The error is an *llm.Error: what
// the upstream reported inside the stream, or that its bytes are unreadable.
func (d *StreamDecoder) Next(ev sse.Event) (llm.Event, error) {
	out := llm.Event{Raw: ev.Raw}
	if d.neutral != nil {
		d.neutral.reset()
	}
	err := d.read(ev, &out)
	if d.neutral != nil && err == nil {
		out.Deltas = d.neutral.out
	}
	return out, err
}

func (d *StreamDecoder) read(ev sse.Event, out *llm.Event) error {
	switch {
	case ev.Comment:
		d.ping(out)
		return nil
	case string(bytes.TrimSpace(ev.Data)) == "[DONE]": // some engines end so, too
		out.Marks = llm.MarkDone
		return nil
	}
	err := d.doc.Reset(ev.Data, answerLimits)
	if err != nil || d.doc.Root().Kind() != rawjson.Object {
		return &llm.Error{Kind: llm.Upstream, Message: "the upstream sent an event that is not a JSON object", Err: err}
	}
	if v := field(&d.doc, "sequence_number"); v.Kind() == rawjson.Number {
		n, _ := v.Int()
		d.sequence = n + 1
	}
	name := d.name(ev)
	if known, ok := eventTypes[string(name)]; ok {
		d.event(known, out)
		return nil
	}
	switch string(name) {
	case "error":
		return broken(ev.Data)
	case "", "message": // an engine that fails forgets what it speaks
		if fault := field(&d.doc, "error"); fault.Kind() != rawjson.Invalid && fault.Kind() != rawjson.Null {
			return broken(ev.Data)
		}
		d.unknown(ev, out)
	case "response.completed", "response.incomplete":
		d.end(field(&d.doc, "response"), out)
	case "response.failed":
		fault, _ := field(&d.doc, "response").Get("error")
		return failure(fault.Raw())
	case "keepalive":
		d.ping(out)
	default:
		d.unknown(ev, out)
	}
	return nil
}

// name is the event's type: engines name it within the data, beside them, or both.
func (d *StreamDecoder) name(ev sse.Event) []byte {
	if v := field(&d.doc, "type"); v.Kind() == rawjson.String {
		return v.Raw()[1 : len(v.Raw())-1] // no name has an escape
	}
	return []byte(ev.Name)
}

func (d *StreamDecoder) unknown(ev sse.Event, out *llm.Event) {
	out.Marks = llm.MarkUnknown
	if d.neutral != nil {
		d.neutral.add(llm.Delta{Kind: llm.DeltaForeign, Raw: ev.Raw})
	}
}

// broken reads an error event: what it says may stand at its root or in a field.
func broken(data []byte) *llm.Error {
	e := failure(data)
	if e.Code == "error" { // the type of the event, not of the error
		e.Code = ""
	}
	return e
}

func (d *StreamDecoder) ping(out *llm.Event) {
	out.Marks = llm.MarkComment
	if d.neutral != nil {
		d.neutral.add(llm.Delta{Kind: llm.DeltaPing})
	}
}

// event reads an event that is known.
func (d *StreamDecoder) event(known eventType, out *llm.Event) {
	out.Marks = known.mark
	if v := field(&d.doc, "delta"); v.Kind() == rawjson.String {
		out.TextBytes = len(v.Raw()) - len(`""`)
	}
	if known.mark == 0 {
		out.Marks = itemMark(field(&d.doc, "item"))
	}
	response := field(&d.doc, "response")
	if d.answerID == "" && response.Kind() == rawjson.Object {
		id, _ := response.Get("id")
		d.answerID, _ = id.Str()
		out.AnswerID = d.answerID
	}
	if d.neutral == nil {
		return
	}
	d.neutral.begin(response)
	if known.read != nil {
		known.read(d.neutral, &d.doc)
	}
}

// itemMark says what an item is. That a model began to think is news, that a message
// began is not: its first word is.
func itemMark(it rawjson.Value) llm.Mark {
	switch kind, _ := it.Get("type"); {
	case kind.Is(typeMessage):
		return llm.MarkStart
	case kind.Is(typeReasoning):
		return llm.MarkReasoning
	}
	return llm.MarkTool
}

// end reads the last event.
func (d *StreamDecoder) end(response rawjson.Value, out *llm.Event) {
	d.complete = true
	out.Marks = llm.MarkStop | llm.MarkDone
	if out.StopReason = stopWord(d.req, response); out.StopReason == "" {
		out.StopReason = "completed"
	}
	if tokens, ok := readUsage(response); ok {
		out.Marks |= llm.MarkUsage
		out.Usage = tokens
	}
	if d.answerID == "" {
		id, _ := response.Get("id")
		d.answerID, _ = id.Str()
		out.AnswerID = d.answerID
	}
	if d.neutral != nil {
		d.neutral.begin(response)
		d.neutral.end(response, out)
	}
}

// Complete reports whether the answer has its last event, which holds the stop reason.
func (d *StreamDecoder) Complete() bool { return d.complete }

// End is nil: the event that has the stop reason is the terminator.
func (d *StreamDecoder) End() []byte { return nil }

// Fail is the event that tells of an error, numbered behind what the client has seen.
func (d *StreamDecoder) Fail(e *llm.Error) []byte { return appendFailure(nil, e, d.sequence) }
