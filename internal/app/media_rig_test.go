package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// media is an upstream of OpenAI's moderations, audio and images. The model's name says
// how it behaves; what it sends is held against the publisher's description by the tests.
type media struct {
	*httptest.Server
	gate chan struct{} // a slow answer goes on when it is closed
	gone chan struct{} // a held request's client left
	came chan struct{} // a request came

	mu   sync.Mutex
	seen []mediaSeen
}

type mediaSeen struct {
	path, contentType, accept string
	body                      []byte
	fields                    map[string][]string // of a form, files as they are
	model                     string
}

func newMedia(t testing.TB) *media {
	t.Helper()
	m := &media{gate: make(chan struct{}), gone: make(chan struct{}, 8), came: make(chan struct{}, 1)}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

// targets is a configuration with a target for each behaviour, at a price for each token.
func (m *media) targets() string {
	var b strings.Builder
	b.WriteString("targets:\n")
	for _, behavior := range []string{"honest", "broken", "html", "cut", "slow", "zipped", "silent", "hold", "mute", "torn"} {
		fmt.Fprintf(&b, "  %s: { provider: openai-compatible, base_url: %q, model: %s, price: { input: 1, output: 2 }, retry: { attempts: 1 } }\n",
			behavior, m.URL+"/v1", behavior)
	}
	b.WriteString("  free: { provider: openai-compatible, base_url: \"" + m.URL + "/v1\", model: mute }\n")
	b.WriteString("  hosted: { provider: openai, base_url: \"" + m.URL + "/v1\", model: omni-moderation-latest, key: k }\n")
	b.WriteString("  other: { provider: groq, base_url: \"" + m.URL + "/v1\", model: honest, key: k }\n")
	b.WriteString("models:\n")
	for _, first := range []string{"broken", "html", "silent", "torn"} {
		fmt.Fprintf(&b, "  %s-first: { plan: [%s, honest] }\n", first, first)
	}
	return b.String()
}

func (m *media) last(t testing.TB) mediaSeen {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) == 0 {
		t.Fatal("the upstream received no request")
	}
	return m.seen[len(m.seen)-1]
}

func (m *media) serve(w http.ResponseWriter, r *http.Request) {
	s := mediaSeen{path: r.URL.Path, contentType: r.Header.Get("Content-Type"), accept: r.Header.Get("Accept")}
	s.body, _ = io.ReadAll(r.Body) // a test that needs it looks at it
	var asked struct {
		Model        string `json:"model"`
		Stream       bool   `json:"stream"`
		StreamFormat string `json:"stream_format"`
	}
	if kind, params, _ := mime.ParseMediaType(s.contentType); kind == "multipart/form-data" {
		s.fields = fieldsOf(s.body, params["boundary"])
		asked.Model = strings.Join(s.fields["model"], "|")
		asked.Stream = strings.Join(s.fields["stream"], "|") == "true"
	} else {
		_ = json.Unmarshal(s.body, &asked) // what is no JSON has no model
	}
	s.model = asked.Model
	m.mu.Lock()
	m.seen = append(m.seen, s)
	m.mu.Unlock()
	select {
	case m.came <- struct{}{}:
	default:
	}
	w.Header().Set("X-Request-Id", "req_media")
	m.answer(w, r, asked.Model, asked.Stream || asked.StreamFormat == "sse", s.fields)
}

func fieldsOf(body []byte, boundary string) map[string][]string {
	fields := map[string][]string{}
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		p, err := form.NextPart()
		if err != nil {
			return fields
		}
		value, _ := io.ReadAll(p)
		fields[p.FormName()] = append(fields[p.FormName()], string(value))
	}
}

func (m *media) answer(w http.ResponseWriter, r *http.Request, model string, stream bool, fields map[string][]string) {
	kind, body := honestMedia(r.URL.Path, stream, strings.Join(fields["response_format"], ""))
	switch model {
	case "broken":
		http.Error(w, `{"error":{"message":"oh no","type":"server_error"}}`, http.StatusInternalServerError)
		return
	case "html":
		kind, body = "text/html; charset=utf-8", "<html>who are you?"
	case "torn":
		kind, body = "application/json", `{"text":`
	case "silent":
		kind, body = "audio/mpeg", ""
	case "hold":
		<-r.Context().Done()
		m.gone <- struct{}{}
		return
	case "mute":
		body = strings.NewReplacer(`,"usage":`, `,"unusual":`).Replace(body)
	case "zipped":
		w.Header().Set("Content-Encoding", "gzip")
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		_, _ = zip.Write([]byte(body)) // into memory: cannot fail
		_ = zip.Close()
		body = zipped.String()
	}
	w.Header().Set("Content-Type", kind)
	half := len(body) / 2
	_, _ = io.WriteString(w, body[:half]) // a client that left shows below
	switch model {
	case "cut":
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "slow":
		_ = http.NewResponseController(w).Flush()
		select {
		case <-m.gate:
		case <-r.Context().Done():
			m.gone <- struct{}{}
			return
		}
	}
	_, _ = io.WriteString(w, body[half:])
}

// sound is an audio file's worth of bytes that are no text.
var sound = strings.Repeat("\xff\xfb\x90\x00\r\n--\x00", 12<<10)

const (
	transcriptUsage = `"usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":10,"audio_tokens":4},"output_tokens":31,"total_tokens":45}`
	imagesUsage     = `"usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}`
	pictureFields   = `"b64_json":"aGk=","created_at":1620000000,"size":"1024x1024","quality":"high","background":"opaque","output_format":"png"`
	categories      = `"hate":false,"hate/threatening":false,"harassment":true,"harassment/threatening":false,"illicit":false,"illicit/violent":false,` +
		`"self-harm":false,"self-harm/intent":false,"self-harm/instructions":false,"sexual":false,"sexual/minors":false,"violence":false,"violence/graphic":false`
)

func events(events ...string) string {
	var b strings.Builder
	for _, e := range events {
		var kind struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal([]byte(e), &kind) // constants
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", kind.Type, e)
	}
	return b.String()
}

// honestMedia is what the publisher's own servers would say.
func honestMedia(path string, stream bool, format string) (kind, body string) {
	kind = "application/json"
	if stream {
		kind = "text/event-stream; charset=utf-8"
	}
	switch path = strings.TrimPrefix(path, "/v1"); {
	case path == "/moderations":
		scores := strings.NewReplacer("false", "0.1", "true", "0.9").Replace(categories)
		applied := strings.NewReplacer("false", `["text"]`, "true", `["text"]`).Replace(categories)
		return kind, `{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":true,"categories":{` + categories +
			`},"category_scores":{` + scores + `},"category_applied_input_types":{` + applied + `}}]}`
	case path == "/audio/speech" && stream:
		return kind, events(`{"type":"speech.audio.delta","audio":"aGk="}`, `{"type":"speech.audio.delta","audio":"aG8="}`,
			`{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}`)
	case path == "/audio/speech":
		return "audio/mpeg", sound
	case path == "/audio/transcriptions" && stream:
		return kind, events(`{"type":"transcript.text.delta","delta":"Ahoy"}`, `{"type":"transcript.text.delta","delta":" there"}`,
			`{"type":"transcript.text.done","text":"Ahoy there",`+transcriptUsage+`}`)
	case format == "srt", format == "text":
		return "text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:01,000\nAhoy, café\n"
	case path == "/audio/transcriptions":
		return kind, `{"text":"Ahoy there",` + transcriptUsage + `}`
	case path == "/audio/translations":
		return kind, `{"text":"Hello there"}`
	case path == "/images/generations" && stream:
		return kind, events(`{"type":"image_generation.partial_image",`+pictureFields+`,"partial_image_index":0}`,
			`{"type":"image_generation.completed",`+pictureFields+`,`+imagesUsage+`}`)
	case path == "/images/edits" && stream:
		return kind, events(`{"type":"image_edit.partial_image",`+pictureFields+`,"partial_image_index":0}`,
			`{"type":"image_edit.completed",`+pictureFields+`,`+imagesUsage+`}`)
	}
	return kind, `{"created":1713833628,"data":[{"b64_json":"aGk="}],` + imagesUsage + `}`
}

// form writes a form's body and its content type. A value that begins with @ is a file.
func form(t testing.TB, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		var err error
		if file, ok := strings.CutPrefix(value, "@"); ok {
			var part io.Writer
			if part, err = w.CreateFormFile(name, "a ö;\".mp3"); err == nil {
				_, err = io.WriteString(part, file)
			}
		} else {
			err = w.WriteField(name, value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}
