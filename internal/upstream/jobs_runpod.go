package upstream

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Runpod is the job API of serverless endpoints
// (https://docs.runpod.io/serverless/endpoints/operation-reference), in front of
// workers that take OpenAI's requests as openai_route and openai_input, as Runpod's
// vLLM worker does. The base URL of the target ends in /v2/ENDPOINT.
type Runpod struct{}

// Create makes a job of a call below the endpoint's address. runsync waits for quick
// ones; what takes longer is asked for.
func (Runpod) Create(r *http.Request, body []byte) (*http.Request, error) {
	home, route, ok := cutEndpoint(r.URL)
	if !ok {
		return nil, &llm.Error{Kind: llm.Internal, Message: "the base_url of a Runpod target must end in /v2/ENDPOINT, or in /openai/v1 for its compatible API"}
	}
	var in struct {
		Input struct {
			Route string          `json:"openai_route"`
			Input json.RawMessage `json:"openai_input"`
		} `json:"input"`
	}
	whole, err := unstreamed(body)
	if err != nil {
		return nil, err
	}
	in.Input.Route, in.Input.Input = "/v1"+route, whole
	wrapped, err := json.Marshal(&in)
	if err != nil {
		return nil, err
	}
	at := *home
	at.Path += "/runsync"
	return recreate(r, &at, wrapped), nil
}

// unstreamed asks for the answer in one piece: a job has no other.
func unstreamed(body []byte) ([]byte, error) {
	doc, err := rawjson.Check(body, rawjson.Limits{})
	if err != nil {
		return nil, err
	}
	edit := doc.Edit()
	edit.Delete("stream")
	edit.Delete("stream_options")
	return edit.Apply()
}

// cutEndpoint splits …/v2/ENDPOINT/chat/completions.
func cutEndpoint(u *url.URL) (home *url.URL, route string, ok bool) {
	before, after, found := strings.Cut(u.Path, "/v2/")
	endpoint, route, more := strings.Cut(after, "/")
	if !found || !more || endpoint == "" {
		return nil, "", false
	}
	at := *u
	at.Path, at.RawQuery = before+"/v2/"+endpoint, ""
	return &at, "/" + route, true
}

// Read reads a job's state. The worker's answer is its output, or the one element of
// it.
func (Runpod) Read(body []byte, created *url.URL) (Job, error) {
	var s struct {
		ID     string          `json:"id"`
		Status string          `json:"status"`
		Output json.RawMessage `json:"output"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(body, &s); err != nil || s.Status == "" {
		return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is no job", Err: err}
	}
	home, _, _ := cutEndpoint(created)
	switch s.Status {
	case "COMPLETED":
		return Job{Done: true, Answer: first(s.Output)}, nil
	case "IN_QUEUE", "IN_PROGRESS":
		if s.ID == "" || strings.ContainsAny(s.ID, "/?#") {
			return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's job has no id"}
		}
		poll, cancel := *home, *home
		poll.Path += "/status/" + s.ID
		cancel.Path += "/cancel/" + s.ID
		return Job{Poll: &poll, Cancel: &cancel}, nil
	case "TIMED_OUT":
		return Job{}, &llm.Error{Kind: llm.Timeout, Message: "the upstream's job ran out of its own time"}
	}
	return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's job ended as " + s.Status + ": " + clipText(string(s.Error))}
}

// first is the only element of an array, or the value itself.
func first(output json.RawMessage) []byte {
	var list []json.RawMessage
	if json.Unmarshal(output, &list) == nil && len(list) == 1 {
		return list[0]
	}
	return output
}

func clipText(s string) string {
	const most = 500
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + " …"
	}
	return s
}
