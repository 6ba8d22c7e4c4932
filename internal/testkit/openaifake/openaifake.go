// Package openaifake answers as an OpenAI-compatible server that keeps its word: request bytes in, answer out.
//
// It covers chat, completions, embeddings and models, streamed or whole, and refuses bad requests in
// OpenAI's error shape. It is pure and repeatable: the same request, knobs and sequence number give the same bytes, so
// a test may cut an answer at every offset. It knows nothing of HTTP, of timing, or of how an answer is damaged on its
// way: that is the parent package's part. The shapes are those of the publisher's API description, and the parent's
// tests hold every answer against it. Start reading at Answer and Chat.
package openaifake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// Answer is what the server says: either one JSON body or a sequence of events.
type Answer struct {
	Status int
	Kind   string                                  // Content-Type where it is not the usual one for a body or a stream
	Body   []byte                                  // the whole body; nil for a stream
	Events iter.Seq[[]byte]                        // the data of each event, without framing; nil for a plain answer
	Named  bool                                    // each event bears on the wire the name that its data has as "type"
	Fail   func(status int, message string) []byte // an error's body in another dialect; nil for OpenAI's
}

// Knobs change what is said; the zero value is the ordinary answer.
type Knobs struct {
	Seq     int    // number of this request, part of the answer's id so that ids differ
	Created int64  // Unix seconds
	Say     string // text of the answer; empty means the usual sentence
	Echo    bool   // the text is the exact request body
	Words   int    // this many one-word pieces instead of the usual sentence
	Huge    int    // one piece of this many bytes instead of the usual sentence
	Refuse  bool   // the model refuses
	Think   bool   // reasoning text before the answer (the `reasoning_content` field of DeepSeek, vLLM and others)
	Reason  int    // reasoning tokens in the usage
	Cached  int    // cached prompt tokens in the usage
	NoUsage bool   // leaves usage out
	NoStop  bool   // a stream without its finish_reason
	NoDone  bool   // a stream without [DONE]
}

// Done is the data of the event that ends an OpenAI stream.
const Done = "[DONE]"

// Sentence is the ordinary answer. It has two-, three- and four-byte characters so that a cut can fall inside one.
const Sentence = "Ahoy! The café is naïve — 你好 — and the ship 🚢 sails on."

// Failure returns an error answer in OpenAI's shape. Empty param and code are null.
func Failure(status int, kind, param, code, message string) Answer {
	type detail struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	body := encode(struct {
		Error detail `json:"error"`
	}{detail{message, kind, orNull(param), orNull(code)}})
	return Answer{Status: status, Body: body}
}

// NoModel is the 404 for a model that does not exist.
func NoModel(model string) Answer {
	return Failure(404, "invalid_request_error", "model", "model_not_found",
		fmt.Sprintf("The model `%s` does not exist here.", model))
}

func badRequest(param, code, message string) *Answer {
	answer := Failure(400, "invalid_request_error", param, code, message)
	return &answer
}

// decode reads a request body strictly enough to name the parameter at fault.
func decode(body []byte, into any) *Answer {
	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return badRequest(wrong.Field, "invalid_type",
			fmt.Sprintf("Invalid type for '%s': got %s.", wrong.Field, wrong.Value))
	default:
		return badRequest("", "", "The request body is not valid JSON: "+err.Error())
	}
}

// identity makes an id that is repeatable per request body, differs by sequence number, and has a constant length.
func identity(prefix string, body []byte, seq int) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%s%s%08d", prefix, hex.EncodeToString(sum[:8]), seq)
}

// encode writes JSON as OpenAI does: no HTML escapes, no final newline.
func encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("openaifake: a wire value cannot be encoded: " + err.Error())
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
