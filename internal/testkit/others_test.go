package testkit

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit/anthropicfake"
	"github.com/fairlead/fairlead/internal/testkit/geminifake"
	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// call posts to a path of another dialect.
func call(t *testing.T, up *Upstream, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, up.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, _ := io.ReadAll(response.Body)
	http.DefaultClient.CloseIdleConnections()
	return response.StatusCode, string(read)
}

func TestUpstream_SpeaksAnthropic(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	for name, test := range map[string]struct {
		body   string
		status int
		has    []string
	}{
		"plain":            {`{"model":"fake","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, 200, []string{`"stop_reason":"max_tokens"`, `"input_tokens":9`, "Ahoy!"}},
		"a stream":         {`{"model":"fake","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, 200, []string{"event: message_start\ndata: {\"type\":\"message_start\"", "event: ping\n", "event: message_stop\n"}},
		"a cached prompt":  {`{"model":"fake","max_tokens":99,"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"hi"}]}`, 200, []string{`"cache_creation_input_tokens":11`}},
		"tools":            {`{"model":"fake","max_tokens":99,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"hi"}]}`, 200, []string{`"type":"tool_use"`, `"stop_reason":"tool_use"`}},
		"no bound":         {`{"model":"fake","messages":[{"role":"user","content":"hi"}]}`, 400, []string{`"type":"invalid_request_error"`, "max_tokens"}},
		"a forged thought": {`{"model":"fake","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"y"}]}]}`, 400, []string{"signature"}},
		"an unknown model": {`{"model":"nobody","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, 404, []string{"not_found_error"}},
		"a failure":        {`{"model":"fake:status=529","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, 529, []string{"overloaded_error"}},
		"an error event":   {`{"model":"fake:error-event=2","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, 200, []string{"event: error\ndata: {\"type\":\"error\""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := call(t, up, "/v1/messages", test.body, "anthropic-version", "2023-06-01")
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			for _, part := range test.has {
				if !strings.Contains(answer, part) {
					t.Errorf("no %q in %s", part, answer)
				}
			}
		})
	}
}

func TestUpstream_SpeaksGemini(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	hi := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	for name, test := range map[string]struct {
		path, body string
		status     int
		has        string
	}{
		"plain":              {"fake:generateContent", hi + `}`, 200, `"finishReason":"STOP"`},
		"tools":              {"fake:generateContent", hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}]}`, 200, `"thoughtSignature":"` + geminifake.Signature},
		"a call without":     {"fake:generateContent", `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]}]}`, 400, "thought_signature"},
		"an unknown model":   {"nobody:generateContent", hi + `}`, 404, "NOT_FOUND"},
		"counting":           {"fake:countTokens", hi + `}`, 200, `"totalTokens":5`},
		"a stream of arrays": {"fake:streamGenerateContent", hi + `}`, 404, "NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := call(t, up, geminiPath+test.path, test.body)
			if status != test.status || !strings.Contains(answer, test.has) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}

func TestUpstream_OthersStreamWhatTheySayPlainly(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	_, stream := call(t, up, "/v1/messages", `{"model":"fake","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "anthropic-version", "2023-06-01")
	_, chunks := call(t, up, geminiPath+"fake:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)
	for name, body := range map[string]string{"anthropic": stream, "gemini": chunks} {
		text := ""
		lines := bufio.NewScanner(strings.NewReader(body))
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var event struct {
				Delta      struct{ Text string }
				Candidates []struct {
					Content struct{ Parts []struct{ Text string } }
				}
			}
			if err := json.Unmarshal([]byte(data), &event); err != nil {
				t.Fatal(err)
			}
			text += event.Delta.Text
			for _, c := range event.Candidates {
				text += c.Content.Parts[0].Text
			}
		}
		if text != openaifake.Sentence {
			t.Errorf("%s says %q", name, text)
		}
	}
	if !json.Valid(anthropicfake.Fail(500, "x")) || !json.Valid(geminifake.Fail(418, "x")) {
		t.Error("an error is not JSON")
	}
}
