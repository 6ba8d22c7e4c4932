package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
)

// surfaces are the endpoints of inference: what a client speaks there, and what it
// asks for. Gemini's have the model in their path: see gemini.
var surfaces = [...]struct {
	path, dialect string
	asks          llm.Surface
}{
	{"/v1/chat/completions", "openai-chat", llm.Chat},
	{"/v1/completions", "openai-chat", llm.Completions},
	{"/v1/embeddings", "openai-chat", llm.Embeddings},
	{"/v1/responses", "openai-responses", llm.Chat},
	{"/v1/messages", "anthropic", llm.Chat},
	{"/v1/messages/count_tokens", "anthropic", llm.CountTokens},
	{"/v1/rerank", "cohere", llm.Rerank},
	{"/v2/rerank", "cohere", llm.Rerank},
	{"/api/chat", "ollama", llm.Chat},
	{"/api/generate", "ollama", llm.Completions},
	{"/api/embed", "ollama", llm.Embeddings},
}

// geminiMethods are what stands behind the colon of a path of Gemini's.
var geminiMethods = map[string]struct {
	asks   llm.Surface
	stream bool
}{
	"generateContent":       {llm.Chat, false},
	"streamGenerateContent": {llm.Chat, true},
	"embedContent":          {llm.Embeddings, false},
	"batchEmbedContents":    {llm.Embeddings, false},
	"countTokens":           {llm.CountTokens, false},
}

// gemini answers POST …/models/{model}:{method}. Model names hold slashes, and may
// hold colons.
func (s *Server) gemini(w http.ResponseWriter, r *http.Request) error {
	_, call, _ := strings.Cut(r.URL.Path, "/models/")
	model, name, _ := cutLast(call, ":")
	method, ok := geminiMethods[name]
	if !ok {
		return &llm.Error{Kind: llm.NotFound, Code: "unknown_url",
			Message: "there is no method " + name + "; there are generateContent, streamGenerateContent, embedContent, batchEmbedContents and countTokens"}
	}
	return s.infer(w, r, asked{
		codec: codecOf("gemini"), surface: method.asks, model: model, stream: method.stream,
		array: method.stream && r.URL.Query().Get("alt") != "sse",
	})
}

// Asks lists what clients of a dialect can ask for here, the most usual first.
func Asks(dialect string) (asks []llm.Surface) {
	for _, at := range surfaces {
		if at.dialect == dialect && !slices.Contains(asks, at.asks) {
			asks = append(asks, at.asks)
		}
	}
	if dialect == "gemini" {
		asks = append(asks, llm.Chat, llm.Embeddings, llm.CountTokens)
	}
	return asks
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// codecOf finds the codec of a dialect that this package names; a test holds that
// there is one for each.
func codecOf(name string) *dialect.Codec {
	c, _ := dialect.ByName(name)
	return c
}

// ollamaPaths are where Ollama's clients alone go, beside its surfaces: what is not there
// is said in Ollama's words. Our own paths under /api are none of them.
var ollamaPaths = [...]string{
	"/api/tags", "/api/show", "/api/ps", "/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs", "/api/embeddings",
}

// speaks is the dialect in which a request must be answered, errors included: that
// of its path, and on paths that several share what its headers say.
func speaks(r *http.Request) *dialect.Codec {
	path := r.URL.Path
	for i := range surfaces {
		if surfaces[i].path == path {
			return codecOf(surfaces[i].dialect)
		}
	}
	switch {
	case strings.HasPrefix(path, "/v1beta/"), strings.HasPrefix(path, "/v1/models/") && r.Method == http.MethodPost:
		return codecOf("gemini")
	case strings.HasPrefix(path, "/v1/messages"), r.Header.Get("Anthropic-Version") != "":
		return codecOf("anthropic")
	case r.Header.Get("X-Goog-Api-Key") != "", r.URL.RawQuery != "" && r.URL.Query().Has("key"):
		return codecOf("gemini")
	case slices.ContainsFunc(ollamaPaths[:], func(p string) bool { return strings.HasPrefix(path, p) }):
		return codecOf("ollama")
	}
	return codecOf("openai-chat")
}
