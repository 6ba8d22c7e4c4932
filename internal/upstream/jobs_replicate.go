package upstream

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/fairlead/fairlead/internal/llm"
)

// Replicate is the predictions API (https://replicate.com/docs/reference/http).
type Replicate struct{}

// Create asks to wait a while for a plain answer, so that a quick one needs no poll.
func (Replicate) Create(r *http.Request, body []byte) (*http.Request, error) {
	out := recreate(r, r.URL, body)
	if out.Header.Get("Accept") != streamMedia {
		out.Header.Set("Prefer", "wait=60")
	}
	return out, nil
}

// Read reads a prediction.
func (Replicate) Read(body []byte, _ *url.URL) (Job, error) {
	var p struct {
		Status string `json:"status"`
		URLs   struct {
			Get    string `json:"get"`
			Cancel string `json:"cancel"`
			Stream string `json:"stream"`
		} `json:"urls"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Status == "" {
		return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is no prediction", Err: err}
	}
	job := Job{Answer: body, Done: p.Status != "starting" && p.Status != "processing"}
	for text, at := range map[string]**url.URL{p.URLs.Get: &job.Poll, p.URLs.Cancel: &job.Cancel, p.URLs.Stream: &job.Stream} {
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil {
			return Job{}, &llm.Error{Kind: llm.Upstream, Message: "the upstream's prediction names an address that is none", Err: err}
		}
		*at = u
	}
	return job, nil
}
