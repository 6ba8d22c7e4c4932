package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

// ProbeTime is how long a server on this machine may take: it answers in a few
// milliseconds, and a start should not wait for one that hangs.
const ProbeTime = 300 * time.Millisecond

const maxProbe = 1 << 20

// HTTPProbe asks GET {baseURL}/models; the client brings the time limit. With
// ProbeClient no proxy is asked and no redirect followed: only this machine is
// looked at.
func HTTPProbe(client *http.Client) Probe {
	return func(ctx context.Context, baseURL string) ([]Served, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/models", nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("answered %s", resp.Status)
		}
		var list struct {
			Data []Served `json:"data"`
		}
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxProbe)).Decode(&list); err != nil {
			return nil, fmt.Errorf("answered something else than a list of models: %w", err)
		}
		if list.Data == nil {
			return nil, errors.New("answered without a list of models")
		}
		return list.Data, nil
	}
}

// ProbeClient is the HTTP client for HTTPProbe; it gives up after ProbeTime.
func ProbeClient() *http.Client {
	return &http.Client{
		Timeout:       ProbeTime,
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var (
	nameRE   = regexp.MustCompile(nameForm)
	regionRE = regexp.MustCompile(`^[a-z0-9-]{2,40}$`)
)

func nameOK(name string) bool { return nameRE.MatchString(name) }

// starters are the models that a provider's key alone leads to: inexpensive ones,
// the first under the provider's name. They were taken in November 2026 from the
// price rows of the catalog, which carry their own source and date; a test fails
// when one of them has no price there.
var starters = map[string][]string{
	"openai":     {"gpt-4o-mini", "gpt-4o", "gpt-5-mini"},
	"anthropic":  {"claude-haiku-4-5"},
	"aws":        {"amazon.nova-lite-v1:0"},
	"google":     {"gemini-2.5-flash-lite"},
	"groq":       {"llama-3.1-8b-instant"},
	"mistral":    {"mistral-small-latest"},
	"deepseek":   {"deepseek-chat"},
	"cerebras":   {"gpt-oss-120b"},
	"cohere":     {"command-r7b"},
	"fireworks":  {"accounts/fireworks/models/gpt-oss-20b"},
	"openrouter": {"openai/gpt-4o-mini"},
	"perplexity": {"sonar"},
	"together":   {"meta-llama/Llama-3.3-70B-Instruct-Turbo"},
	"x-ai":       {"grok-4-fast-non-reasoning"},
}
