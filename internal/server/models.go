package server

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/llm"
)

// modelForm is how a dialect lists what can be asked for.
type modelForm struct {
	one  func(Offer) any
	list func([]Offer) any
}

// modelForms are the forms by dialect; the others see OpenAI's.
var modelForms = map[string]modelForm{
	"openai-chat": {openaiModel, func(all []Offer) any {
		return map[string]any{"object": "list", "data": each(all, openaiModel)}
	}},
	"anthropic": {anthropicModel, func(all []Offer) any {
		page := map[string]any{"data": each(all, anthropicModel), "has_more": false, "first_id": nil, "last_id": nil}
		if len(all) > 0 {
			page["first_id"], page["last_id"] = all[0].Name, all[len(all)-1].Name
		}
		return page
	}},
	"gemini": {geminiModel, func(all []Offer) any {
		return map[string]any{"models": each(all, geminiModel)}
	}},
	"ollama": {ollamaModel, func(all []Offer) any {
		return map[string]any{"models": each(all, ollamaModel)}
	}},
}

func formOf(r *http.Request) modelForm {
	if form, ok := modelForms[speaks(r).Name]; ok {
		return form
	}
	return modelForms["openai-chat"]
}

func each(all []Offer, view func(Offer) any) []any {
	out := make([]any, len(all))
	for i, o := range all {
		out[i] = view(o)
	}
	return out
}

func openaiModel(o Offer) any {
	owner := "fairlead"
	if o.Detail != nil {
		owner = o.Detail.Provider
	}
	return struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}{o.Name, "model", o.Created, owner}
}

func anthropicModel(o Offer) any {
	return struct {
		Type        string `json:"type"`
		ID          string `json:"id"`
		DisplayName string `json:"display_name"`
		CreatedAt   string `json:"created_at"`
	}{"model", o.Name, o.Name, date(o)}
}

func geminiModel(o Offer) any {
	m := struct {
		Name        string   `json:"name"`
		DisplayName string   `json:"displayName"`
		Input       int64    `json:"inputTokenLimit,omitempty"`
		Methods     []string `json:"supportedGenerationMethods"`
	}{Name: "models/" + o.Name, DisplayName: o.Name, Methods: []string{"generateContent", "streamGenerateContent", "countTokens", "embedContent"}}
	if o.Detail != nil {
		m.Input = o.Detail.Context
	}
	return m
}

func ollamaModel(o Offer) any {
	return struct {
		Name       string `json:"name"`
		Model      string `json:"model"`
		ModifiedAt string `json:"modified_at"`
		Size       int64  `json:"size"`
		Digest     string `json:"digest"`
	}{Name: o.Name, Model: o.Name, ModifiedAt: date(o)}
}

func date(o Offer) string { return time.Unix(o.Created, 0).UTC().Format(time.RFC3339) }

func (s *Server) listModels(w http.ResponseWriter, r *http.Request, _ auth.Caller) error {
	return writeJSON(w, http.StatusOK, formOf(r).list(s.rooms.Offers()))
}

func (s *Server) getModel(w http.ResponseWriter, r *http.Request, _ auth.Caller) error {
	name := strings.TrimPrefix(r.PathValue("name"), "models/")
	for _, o := range s.rooms.Offers() {
		if o.Name == name {
			return writeJSON(w, http.StatusOK, formOf(r).one(o))
		}
	}
	return &llm.Error{Kind: llm.NotFound, Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("no model or target is named %q; GET /v1/models lists what can be asked for", name)}
}
