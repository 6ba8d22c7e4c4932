package upstream

import (
	"bytes"
	"fmt"
	"strings"
)

// StampDigits is the length of the sending time in a chunk's content: nanoseconds
// since 1970 in decimal, 19 digits until the year 2286.
const StampDigits = 19

// StampField stands before a stamp.
const StampField = `"content":"`

// AnswerBytes is how long the plain answer's body is.
const AnswerBytes = 2 << 10

const (
	usageJSON = `{"prompt_tokens":480,"completion_tokens":66,"total_tokens":546,` +
		`"prompt_tokens_details":{"cached_tokens":128,"audio_tokens":0},` +
		`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`
	chunkJSON = `{"id":"chatcmpl-BnchAbCdEfGhIjKlMnOpQrStUv","object":"chat.completion.chunk","created":1764000000,` +
		`"model":"bench-model-2026-01-01","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[%s],"usage":%s}`
	commonHead = "HTTP/1.1 200 OK\r\nX-Request-Id: req_0123456789abcdef\r\nOpenai-Processing-Ms: 12\r\nOpenai-Version: 2020-10-01\r\n"
)

// The answers never change but for the stamp, so they are built once.
var (
	plainAnswer  = buildPlain()
	streamHead   = []byte(commonHead + "Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
	roleFrame    = frame(choice(`{"role":"assistant","content":"","refusal":null}`, "null"), "null")
	contentFrame = frame(choice(`{"content":"`+strings.Repeat("0", StampDigits)+` "}`, "null"), "null")
	stampAt      = bytes.Index(contentFrame, []byte(StampField)) + len(StampField)
	stopFrame    = frame(choice(`{}`, `"stop"`), "null")
	usageFrame   = frame("", usageJSON)
	lastFrame    = append(httpChunk("data: [DONE]\n\n"), "0\r\n\r\n"...)
)

func buildPlain() []byte {
	const before = `{"id":"chatcmpl-BnchAbCdEfGhIjKlMnOpQrStUv","object":"chat.completion","created":1764000000,` +
		`"model":"bench-model-2026-01-01","choices":[{"index":0,"message":{"role":"assistant","content":"`
	const after = `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":` + usageJSON +
		`,"service_tier":"default","system_fingerprint":"fp_0123456789"}`
	sentence := `Lines run fair where nothing chafes them.\n`
	room := AnswerBytes - len(before) - len(after)
	text := strings.Repeat(sentence, room/len(sentence))
	text += strings.Repeat(".", room-len(text))
	return fmt.Appendf(nil, commonHead+"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s%s%s", AnswerBytes, before, text, after)
}

func choice(delta, finish string) string {
	return fmt.Sprintf(`{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}`, delta, finish)
}

// frame is a server-sent event in an HTTP chunk of its own, as a server sends that
// flushes after each event.
func frame(choices, usage string) []byte {
	return httpChunk("data: " + fmt.Sprintf(chunkJSON, choices, usage) + "\n\n")
}

func httpChunk(s string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(s), s) }
