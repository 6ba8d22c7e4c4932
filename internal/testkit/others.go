package testkit

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/testkit/anthropicfake"
	"github.com/fairlead/fairlead/internal/testkit/geminifake"
	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// Where the other dialects are answered.
const (
	anthropicPath = "/v1/messages"
	geminiPath    = "/v1beta/models/"
)

// anthropic answers as Anthropic would.
func (u *Upstream) anthropic(r *http.Request, body []byte, a asked, knobs openaifake.Knobs) openaifake.Answer {
	switch {
	case u.config.key != "" && r.Header.Get("X-Api-Key") != u.config.key:
		return anthropicfake.Failure(401, "invalid x-api-key")
	case r.Header.Get("Anthropic-Version") == "":
		return anthropicfake.Failure(400, "anthropic-version: header is required")
	case a.Model != "" && !u.knows(a.Model):
		return anthropicfake.Failure(404, "model: "+a.Model)
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/messages":
		return anthropicfake.Messages(body, knobs)
	case "POST /v1/messages/count_tokens":
		return anthropicfake.CountTokens(body)
	}
	return anthropicfake.Failure(404, "Not Found")
}

// gemini answers as the Gemini API would.
func (u *Upstream) gemini(r *http.Request, body []byte, a asked, knobs openaifake.Knobs) openaifake.Answer {
	switch {
	case u.config.key != "" && r.Header.Get("X-Goog-Api-Key") != u.config.key:
		return geminifake.Failure(400, "API key not valid. Please pass a valid API key.")
	case !u.knows(a.Model):
		return geminifake.Failure(404, fmt.Sprintf("models/%s is not found for API version v1beta, or is not supported for generateContent.", a.Model))
	}
	_, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, geminiPath), ":")
	switch method {
	case "generateContent":
		return geminifake.Generate(a.Model, body, false, knobs)
	case "streamGenerateContent":
		if r.URL.Query().Get("alt") == "sse" {
			return geminifake.Generate(a.Model, body, true, knobs)
		}
	case "countTokens":
		return geminifake.CountTokens(body)
	}
	return geminifake.Failure(404, "Method not found here: "+method)
}
