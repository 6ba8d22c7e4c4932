package openai

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Writer writes a streamed answer as chunks of this dialect.
type Writer struct {
	req  *llm.Request
	head []byte // of every chunk, up to the choices

	blocks  map[[2]int]*shownBlock // by choice and block
	last    *shownBlock            // that was asked for last, of lastAt
	lastAt  [2]int
	choices map[int]*shownChoice
	done    bool
	lost    llm.Losses
}

// shownChoice is what was shown of a choice so far.
type shownChoice struct {
	calls   int
	refused bool
}

// shownBlock is what a block looks like here.
type shownBlock struct {
	kind  llm.PartKind
	call  int    // its index
	id    string // of the call
	text  []byte // of thought that may yet be signed
	signs int    // details so far
}

// NewWriter begins the answer to req.
func NewWriter(req *llm.Request) *Writer {
	return &Writer{req: req, blocks: map[[2]int]*shownBlock{}, choices: map[int]*shownChoice{}}
}

// Lost is what could not be shown.
func (w *Writer) Lost() llm.Losses { return w.lost }

// Append writes the chunk of a delta.
func (w *Writer) Append(dst []byte, d *llm.Delta) []byte {
	switch d.Kind {
	case llm.DeltaBegin:
		w.head = appendHead(nil, w.req, d.ID, d.Model, true)
		dst, _ = w.choice(dst, 0)
	case llm.DeltaOpen:
		return w.open(dst, d)
	case llm.DeltaPiece:
		return w.piece(dst, d)
	case llm.DeltaSign:
		return w.sign(dst, d)
	case llm.DeltaCite:
		return w.cite(dst, d)
	case llm.DeltaLogprobs:
		return w.chunk(dst, d.Choice, "", "", oneLine(d.Raw))
	case llm.DeltaStop:
		return w.stop(dst, d)
	case llm.DeltaUsage:
		return w.usage(dst, d.Usage)
	case llm.DeltaDone:
		return w.End(dst)
	case llm.DeltaPing:
		return append(dst, ": ping\n\n"...)
	}
	return dst
}

// End writes the terminator, once.
func (w *Writer) End(dst []byte) []byte {
	if w.done {
		return dst
	}
	w.done = true
	return append(dst, "data: [DONE]\n\n"...)
}

// Fail writes the error event.
func (w *Writer) Fail(dst []byte, e *llm.Error) []byte { return AppendFailure(dst, e) }

// AppendFailure writes the event by which a stream of this dialect tells of an error.
func AppendFailure(dst []byte, e *llm.Error) []byte {
	return append(AppendError(append(dst, "data: "...), e), "\n\n"...)
}

// choice begins a choice with its role, once.
func (w *Writer) choice(dst []byte, i int) ([]byte, *shownChoice) {
	c, ok := w.choices[i]
	if !ok {
		c = &shownChoice{}
		w.choices[i] = c
		if w.req.Surface == llm.Chat {
			dst = w.chunk(dst, i, `"role":"assistant","content":""`, "", nil)
		}
	}
	return dst, c
}

func (w *Writer) stop(dst []byte, d *llm.Delta) []byte {
	dst, c := w.choice(dst, d.Choice)
	reason := finishReason(d.Stop)
	if c.refused && d.Stop.Reason == llm.StopRefusal {
		reason = "stop" // the refusal speaks for itself
	}
	return w.chunk(dst, d.Choice, "", reason, nil)
}

func (w *Writer) open(dst []byte, d *llm.Delta) []byte {
	dst, c := w.choice(dst, d.Choice)
	b := &shownBlock{kind: d.Part.Kind}
	w.blocks[[2]int{d.Choice, d.Block}] = b
	switch d.Part.Kind {
	case llm.ToolCall:
		b.call, b.id = c.calls, d.Part.Call.ID
		c.calls++
		if b.id == "" {
			b.id = "call_" + strings.TrimPrefix(w.req.ID, "chatcmpl-") + "_" + strconv.Itoa(b.call)
		}
		text := `"tool_calls":[{"index":` + strconv.Itoa(b.call) + `,"id":` + quoted(b.id) + `,"type":"function","function":{"name":` +
			quoted(d.Part.Call.Name) + `,"arguments":""}}]`
		return w.chunk(dst, d.Choice, text, "", nil)
	case llm.Refusal:
		c.refused = true
	case llm.Text, llm.Reasoning:
	default:
		w.lost.Add(llm.FieldOther)
	}
	return dst
}

func quoted(s string) string { return string(rawjson.AppendString(nil, s)) }

// pieceFields are the fields that carry the pieces of a block.
var pieceFields = map[llm.PartKind]string{llm.Text: "content", llm.Refusal: "refusal", llm.Reasoning: "reasoning_content"}

func (w *Writer) piece(dst []byte, d *llm.Delta) []byte {
	if at := [2]int{d.Choice, d.Block}; w.last == nil || w.lastAt != at {
		w.last, w.lastAt = w.blocks[at], at
	}
	b := w.last
	switch {
	case b == nil:
		return dst
	case w.req.Surface == llm.Completions:
		if b.kind != llm.Text {
			return dst
		}
		dst = w.begin(dst, d.Choice)
		dst = rawjson.AppendBytes(append(dst, `"text":`...), d.Text)
		return append(dst, `,"logprobs":null,"finish_reason":null}]}`+"\n\n"...)
	case b.kind == llm.ToolCall:
		dst = append(w.begin(dst, d.Choice), `"delta":{"tool_calls":[{"index":`...)
		dst = strconv.AppendInt(dst, int64(b.call), 10)
		dst = rawjson.AppendBytes(append(dst, `,"function":{"arguments":`...), d.Text)
		return append(dst, `}}]},"logprobs":null,"finish_reason":null}]}`+"\n\n"...)
	}
	field, ok := pieceFields[b.kind]
	if !ok {
		return dst
	}
	if b.kind == llm.Reasoning {
		b.text = append(b.text, d.Text...)
	}
	dst = append(append(append(w.begin(dst, d.Choice), `"delta":{"`...), field...), `":`...)
	dst = rawjson.AppendBytes(dst, d.Text)
	return append(dst, `},"logprobs":null,"finish_reason":null}]}`+"\n\n"...)
}

// sign tells of a proof of thought, whole: clients put the pieces of a stream
// together in different ways.
func (w *Writer) sign(dst []byte, d *llm.Delta) []byte {
	b := w.blocks[[2]int{d.Choice, d.Block}]
	if b == nil || w.req.Surface != llm.Chat {
		w.lost.Add(llm.FieldSignature)
		return dst
	}
	detail := newDetail(&llm.Part{Kind: b.kind, Text: string(b.text), Signature: d.Part.Signature, Signer: d.Part.Signer,
		Redacted: d.Part.Redacted, Call: &llm.Call{ID: b.id}}, d.Block+b.signs)
	b.signs++
	b.text = nil
	raw, _ := json.Marshal(detail) // made of strings
	return w.chunk(dst, d.Choice, `"reasoning_details":[`+string(raw)+`]`, "", nil)
}

// newDetail is the detail of a part that is signed.
func newDetail(p *llm.Part, index int) any {
	if p.Signer == Name {
		return rawJSON(p.Signature)
	}
	detail := reasoningDetail{Type: detailText, Text: p.Text, Signature: p.Signature, Format: p.Signer, Index: index}
	if p.Redacted != "" {
		detail.Type, detail.Data = detailEncrypted, p.Redacted
	}
	if p.Kind == llm.ToolCall {
		detail.ID = p.Call.ID
	}
	return detail
}

func (w *Writer) cite(dst []byte, d *llm.Delta) []byte {
	for i := range d.Part.Citations {
		note, ok := annotation(&d.Part.Citations[i])
		if !ok {
			w.lost.Add(llm.FieldCitations)
			continue
		}
		dst = w.chunk(dst, d.Choice, `"annotations":[`+string(note)+`]`, "", nil)
	}
	return dst
}

// annotation is a citation in this dialect, which knows those of the web alone.
func annotation(c *llm.Citation) (raw []byte, ok bool) {
	if c.URL == "" {
		return nil, false
	}
	type place struct {
		URL   string `json:"url"`
		Title string `json:"title"`
		Start int    `json:"start_index"`
		End   int    `json:"end_index"`
	}
	note := struct {
		Type string `json:"type"`
		At   place  `json:"url_citation"`
	}{"url_citation", place{URL: c.URL, Title: c.Title}}
	if c.Of == "answer" {
		note.At.Start, note.At.End = c.Start, c.End
	}
	raw, err := json.Marshal(&note)
	return raw, err == nil
}

// chunk writes a chunk of one choice; delta is the inside of its delta.
func (w *Writer) chunk(dst []byte, choice int, delta, finish string, logprobs []byte) []byte {
	dst = w.begin(dst, choice)
	if w.req.Surface == llm.Completions {
		dst = append(dst, `"text":""`...)
	} else {
		dst = append(append(append(dst, `"delta":{`...), delta...), '}')
	}
	dst = append(dst, `,"logprobs":`...)
	if logprobs == nil {
		dst = append(dst, "null"...)
	} else {
		dst = rawjson.AppendLine(dst, logprobs)
	}
	dst = append(dst, `,"finish_reason":`...)
	if finish == "" {
		dst = append(dst, "null"...)
	} else {
		dst = append(append(append(dst, '"'), finish...), '"')
	}
	return append(dst, "}]}\n\n"...)
}

// begin writes a chunk up to what its choice says.
func (w *Writer) begin(dst []byte, choice int) []byte {
	dst = append(append(dst, "data: "...), w.head...)
	dst = append(dst, `,"choices":[{"index":`...)
	return append(strconv.AppendInt(dst, int64(choice), 10), ',')
}

// oneLine is JSON without line ends between its tokens: one would end the event's line.
func oneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	v := jsontext.Value(bytes.Clone(raw))
	_ = v.Compact() // it was checked when it was read
	return v
}

func (w *Writer) usage(dst []byte, t money.Tokens) []byte {
	if !w.req.StreamUsage {
		return dst
	}
	dst = append(append(dst, "data: "...), w.head...)
	dst = appendUsage(append(dst, `,"choices":[],"usage":`...), w.req.Surface, t)
	return append(dst, "}\n\n"...)
}

// finishReason is the word for why an answer ended.
func finishReason(s llm.Stop) string {
	switch s.Reason {
	case llm.StopLength:
		return "length"
	case llm.StopTools:
		return "tool_calls"
	case llm.StopFilter, llm.StopRefusal:
		return "content_filter"
	}
	return "stop"
}

// appendHead writes what all objects of an answer begin with.
func appendHead(dst []byte, req *llm.Request, id, model string, chunk bool) []byte {
	if id == "" {
		id = "chatcmpl-" + req.ID
	}
	if model == "" {
		model = req.Model
	}
	object := "chat.completion"
	switch {
	case req.Surface == llm.Completions:
		object = "text_completion"
	case chunk:
		object = "chat.completion.chunk"
	}
	dst = rawjson.AppendString(append(dst, `{"id":`...), id)
	dst = append(append(append(dst, `,"object":"`...), object...), `","created":`...)
	dst = strconv.AppendInt(dst, req.Time.Unix(), 10)
	return rawjson.AppendString(append(dst, `,"model":`...), model)
}

// appendUsage writes token counts: totals that include the classes beside them.
func appendUsage(dst []byte, surface llm.Surface, t money.Tokens) []byte {
	n := func(name string, v int64) {
		dst = strconv.AppendInt(append(append(append(dst, '"'), name...), `":`...), v, 10)
	}
	dst = append(dst, '{')
	n("prompt_tokens", t.TotalInput())
	dst = append(dst, ',')
	if surface == llm.Embeddings {
		n("total_tokens", t.Total())
		return append(dst, '}')
	}
	n("completion_tokens", t.TotalOutput())
	dst = append(dst, ',')
	n("total_tokens", t.Total())
	dst = append(dst, `,"prompt_tokens_details":{`...)
	n("cached_tokens", t.CacheRead+t.AudioCacheRead)
	if written := t.CacheWrite5m + t.CacheWrite1h; written > 0 {
		dst = append(dst, ',')
		n("cache_write_tokens", written)
	}
	dst = append(dst, ',')
	n("audio_tokens", t.AudioInput+t.AudioCacheRead)
	dst = append(dst, `},"completion_tokens_details":{`...)
	n("reasoning_tokens", t.Reasoning)
	dst = append(dst, ',')
	n("audio_tokens", t.AudioOutput)
	return append(dst, "}}"...)
}
