package openai

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/sse"
)

const formType = "multipart/form-data; boundary=b"

// aForm is a form of one-line fields.
func aForm(fields ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(fields); i += 2 {
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

func decodeAs(surface llm.Surface, kind, body string) (*llm.Request, error) {
	return Decode(llm.Incoming{Surface: surface, Body: []byte(body), ContentType: kind, Limits: rawjson.Default()})
}

func TestForwarded_ReadsAndChangesTheModelAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface    llm.Surface
		kind, body string
		stream     bool
		sent       string
		path       string
	}{
		"moderations":        {llm.Moderations, "", `{"input":[{"type":"text","text":"a"}], "model":"m"}`, false, `{"input":[{"type":"text","text":"a"}], "model":"n"}`, "/moderations"},
		"speech":             {llm.Speech, "application/json", `{"model":"m","input":"a","stream_format":"audio","new":1e999}`, false, `{"model":"n","input":"a","stream_format":"audio","new":1e999}`, "/audio/speech"},
		"speech, events":     {llm.Speech, "", `{"model":"m","input":"a","stream_format":"sse"}`, true, `{"model":"n","input":"a","stream_format":"sse"}`, "/audio/speech"},
		"speech, Together":   {llm.Speech, "", `{"model":"m","input":"a","stream":true}`, true, `{"model":"n","input":"a","stream":true}`, "/audio/speech"},
		"a transcription":    {llm.Transcriptions, formType, aForm("model", "m", "file", "x"), false, "", "/audio/transcriptions"},
		"its events":         {llm.Transcriptions, formType, aForm("stream", "true", "file", "x", "model", "m"), true, "", "/audio/transcriptions"},
		"Python's events":    {llm.Transcriptions, formType, aForm("stream", "True", "model", "m"), true, "", "/audio/transcriptions"},
		"no bool":            {llm.Transcriptions, formType, aForm("stream", "maybe", "model", "m"), false, "", "/audio/transcriptions"},
		"a translation":      {llm.Translations, `Multipart/Form-Data; boundary="b"`, aForm("model", "m"), false, "", "/audio/translations"},
		"images":             {llm.Images, "", `{"model":"m","prompt":"a","stream":true}`, true, `{"model":"n","prompt":"a","stream":true}`, "/images/generations"},
		"an edit":            {llm.ImageEdits, formType, aForm("model", "m", "image[]", "x", "image[]", "y"), false, "", "/images/edits"},
		"an edit in JSON":    {llm.ImageEdits, "application/json; charset=utf-8", `{"model":"m","prompt":"a"}`, false, `{"model":"n","prompt":"a"}`, "/images/edits"},
		"a variation":        {llm.ImageVariations, formType, aForm("model", "m"), false, "", "/images/variations"},
		"tags are taken out": {llm.Images, "", `{"model":"m","prompt":"a","metadata":{"fairlead_task":"t"}}`, false, `{"model":"n","prompt":"a"}`, "/images/generations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := decodeAs(tc.surface, tc.kind, tc.body)
			if err != nil {
				t.Fatal(err)
			}
			if req.Model != "m" || req.Stream != tc.stream || req.Needs != tc.surface.Needed() || req.Needs == 0 {
				t.Errorf("read %+v", req)
			}
			if got := Path(req, llm.Options{}); got != tc.path {
				t.Errorf("path %q", got)
			}
			for model, want := range map[string]string{"n": tc.sent, "m": ""} {
				if want == "" {
					want = strings.Replace(tc.body, "\r\nm\r\n", "\r\n"+model+"\r\n", 1)
				}
				if strings.Contains(tc.body, "fairlead_") && model == "m" {
					continue
				}
				body, lost, err := Encode(req, llm.Options{Model: model, AskUsage: true})
				if got := string(body.Join()); err != nil || got != want || lost != nil {
					t.Errorf("sent %q, %v, lost %v; want %q", got, err, lost, want)
				}
			}
		})
	}
}

func TestForwarded_Answers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		surface llm.Surface
		body    string
		usage   money.Tokens
		counted bool
		fails   llm.Kind
	}{
		"unknown fields":       {llm.Images, `{"new":1,"data":[]}`, money.Tokens{}, false, ""},
		"not JSON":             {llm.Images, `oh`, money.Tokens{}, false, llm.Upstream},
		"a list":               {llm.Images, `[]`, money.Tokens{}, false, llm.Upstream},
		"two of a name":        {llm.Images, `{"a":1,"a":2}`, money.Tokens{}, false, llm.Upstream},
		"an error":             {llm.Speech, `{"error":{"message":"no"}}`, money.Tokens{}, false, llm.Upstream},
		"no error":             {llm.Speech, `{"error":null}`, money.Tokens{}, false, ""},
		"a bare text":          {llm.Transcriptions, `"Ahoy"`, money.Tokens{}, false, ""},
		"seconds":              {llm.Transcriptions, `{"text":"a","usage":{"type":"duration","seconds":3}}`, money.Tokens{}, false, ""},
		"sound without detail": {llm.Transcriptions, `{"text":"a","usage":{"input_tokens":7,"output_tokens":2}}`, money.Tokens{AudioInput: 7, Output: 2}, true, ""},
		"a contradiction":      {llm.Transcriptions, `{"text":"a","usage":{"input_tokens":7,"input_token_details":{"audio_tokens":8}}}`, money.Tokens{}, false, ""},
		"usage of a chat":      {llm.Transcriptions, `{"text":"a","usage":{"prompt_tokens":7}}`, money.Tokens{}, false, ""},
		"a picture": {llm.Images, `{"data":[],"usage":{"input_tokens":50,"output_tokens":40,"total_tokens":90,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}`,
			money.Tokens{Input: 10, ImageInput: 40, ImageOutput: 40}, true, ""},
		"a picture with text": {llm.ImageEdits, `{"data":[],"usage":{"input_tokens":50,"output_tokens":40,"input_tokens_details":{"text_tokens":50,"cached_tokens":20},"output_tokens_details":{"text_tokens":5,"image_tokens":35}}}`,
			money.Tokens{Input: 30, CacheRead: 20, Output: 5, ImageOutput: 35}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev, err := Answer(&llm.Request{Surface: tc.surface}, llm.Options{}, []byte(tc.body))
			if tc.fails != "" {
				if e, ok := errors.AsType[*llm.Error](err); !ok || e.Kind != tc.fails {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || ev.Usage != tc.usage || (ev.Marks&llm.MarkUsage != 0) != tc.counted || string(ev.Raw) != tc.body {
				t.Errorf("%v: %+v", err, ev)
			}
		})
	}
}

// read reads a whole stream and says what of it was usage, and whether it is complete.
func readForwardedStream(t *testing.T, d *ForwardedStream, text string) (usage money.Tokens, first int, raw string, err error) {
	t.Helper()
	r := sse.NewReader(strings.NewReader(text), 1<<20)
	first = -1
	for n := 0; ; n++ {
		frame, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return usage, first, raw, nil
		}
		if err != nil {
			return usage, first, raw, err
		}
		ev, err := d.Next(frame)
		if err != nil {
			return usage, first, raw, err
		}
		if ev.Marks&llm.MarkUsage != 0 {
			usage = ev.Usage
		}
		if first < 0 && ev.Marks.First() {
			first = n
		}
		raw += string(ev.Raw)
	}
}

func data(events ...string) string { return "data: " + strings.Join(events, "\n\ndata: ") + "\n\n" }

func TestForwarded_StreamsAreCompleteByTheirLastEvent(t *testing.T) {
	t.Parallel()
	const (
		picture = `{"type":"image_generation.completed","b64_json":"aGk=","usage":{"input_tokens":5,"output_tokens":4,"total_tokens":9}}`
		partial = `{"type":"image_generation.partial_image","b64_json":"aGk="}`
		chunk   = `{"id":"t","object":"transcription.chunk","choices":[{"delta":{"content":"hi"},"finish_reason":null}]}`
		stop    = `{"id":"t","object":"transcription.chunk","choices":[{"delta":{},"finish_reason":"stop"}]}`
		counts  = `{"id":"t","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}`
	)
	one := money.Tokens{Input: 5, ImageOutput: 4}
	for name, tc := range map[string]struct {
		surface llm.Surface
		body    string
		stream  string
		usage   money.Tokens
		whole   bool
	}{
		"a picture":             {llm.Images, `{"model":"m","prompt":"p"}`, data(partial, picture), one, true},
		"a picture, [DONE]":     {llm.Images, `{"model":"m","prompt":"p"}`, data(partial, picture, "[DONE]"), one, true},
		"no picture":            {llm.Images, `{"model":"m","prompt":"p"}`, data(partial), money.Tokens{}, false},
		"two pictures":          {llm.Images, `{"model":"m","prompt":"p","n":2}`, data(picture, partial, picture), one.Add(one), true},
		"one picture of two":    {llm.Images, `{"model":"m","prompt":"p","n":2}`, data(picture, partial), one, false},
		"one of two and [DONE]": {llm.Images, `{"model":"m","prompt":"p","n":2}`, data(picture, "[DONE]"), one, false},
		"a pause":               {llm.Images, `{"model":"m","prompt":"p"}`, ": ping\n\n" + data(picture), one, true},
		"speech":                {llm.Speech, `{"model":"m","input":"p"}`, data(`{"type":"speech.audio.delta","audio":"aGk="}`, `{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2}}`), money.Tokens{Input: 1, AudioOutput: 2}, true},
		"Together's speech":     {llm.Speech, `{"model":"m","input":"p"}`, data(`{"object":"audio.tts.chunk","model":"m","b64":"aGk="}`, "[DONE]"), money.Tokens{}, true},
		"no end of Together's":  {llm.Speech, `{"model":"m","input":"p"}`, data(`{"object":"audio.tts.chunk","model":"m","b64":"aGk="}`), money.Tokens{}, false},
		"Mistral's":             {llm.Speech, `{"model":"m","input":"p"}`, data(`{"type":"transcription.text.delta","text":"a"}`, `{"type":"transcription.done","text":"a","usage":{"prompt_audio_seconds":1}}`), money.Tokens{}, true},
		"chunks of a chat":      {llm.Speech, `{"model":"m","input":"p"}`, data(chunk, stop, counts, "[DONE]"), money.Tokens{Input: 3, Output: 1}, true},
		"chunks without a stop": {llm.Speech, `{"model":"m","input":"p"}`, data(chunk, "[DONE]"), money.Tokens{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := decodeAs(tc.surface, "", tc.body)
			if err != nil {
				t.Fatal(err)
			}
			d := NewForwardedStream(req, llm.Options{})
			usage, first, raw, err := readForwardedStream(t, d, tc.stream)
			if err != nil || usage != tc.usage || d.Complete() != tc.whole || first < 0 || d.End() != nil || raw != tc.stream {
				t.Errorf("%v: usage %+v, complete %v, first %d, end %q\n%q", err, usage, d.Complete(), first, d.End(), raw)
			}
			if last := strings.LastIndex(strings.TrimSuffix(tc.stream, "data: [DONE]\n\n"), "data: "); tc.whole && !strings.Contains(name, "Together") && !strings.Contains(name, "chat") {
				for at := range last {
					d := NewForwardedStream(req, llm.Options{})
					if _, _, _, err := readForwardedStream(t, d, tc.stream[:at]); err != nil || d.Complete() {
						t.Fatalf("cut at byte %d: %v, complete %v", at, err, d.Complete())
					}
				}
			}
		})
	}
}

func TestForwarded_ErrorsWithinStreams(t *testing.T) {
	t.Parallel()
	req, err := decodeAs(llm.Transcriptions, formType, aForm("model", "m", "stream", "true", "n", "7"))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"data: oh", "data: []", `data: {"a":1,"a":2}`, `data: {"error":{"message":"no"}}`, `data: {"type":"error","error":"no"}`, "event: error\ndata: {}"} {
		d := NewForwardedStream(req, llm.Options{})
		if d.due != 1 {
			t.Errorf("%d last events are due", d.due)
		}
		_, _, _, err := readForwardedStream(t, d, event+"\n\n")
		if e, ok := errors.AsType[*llm.Error](err); !ok || e.Kind != llm.Upstream || d.Complete() {
			t.Errorf("%s: %v", event, err)
		}
	}
	d := NewForwardedStream(req, llm.Options{})
	if got := string(d.Fail(&llm.Error{Kind: llm.Cut, Message: "m"})); !strings.HasPrefix(got, `data: {"error":{"message":"m"`) {
		t.Errorf("got %s", got)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(0, "application/json", []byte(`{"model":"m","input":"a","stream_format":"sse","n":2}`), []byte(data(`{"type":"speech.audio.done","usage":{"input_tokens":1}}`)))
	f.Add(2, formType, []byte(aForm("model", "m", "n", "2")), []byte(data(`{"choices":[{"index":0}]}`, "[DONE]")))
	surfaces := []llm.Surface{llm.Speech, llm.Moderations, llm.Transcriptions, llm.Translations, llm.Images, llm.ImageEdits, llm.ImageVariations}
	f.Fuzz(func(t *testing.T, surface int, kind string, body, stream []byte) {
		req, err := decodeAs(surfaces[uint(surface)%uint(len(surfaces))], kind, string(body))
		if err != nil {
			if e, ok := errors.AsType[*llm.Error](err); !ok || e.Kind != llm.Invalid {
				t.Fatal(err)
			}
			return
		}
		const model = "another"
		sent, _, err := Encode(req, llm.Options{Model: model})
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeAs(req.Surface, kind, string(bytes.Clone(sent.Join())))
		if err != nil || again.Model != model || again.Stream != req.Stream {
			t.Fatalf("%v: %s", err, strconv.Quote(string(sent.Join())))
		}
		d := NewForwardedStream(req, llm.Options{})
		_, _, _, _ = readForwardedStream(t, d, string(stream)) // whatever comes, no panic
	})
}
