package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func chat(model, rest string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]` + rest + `}`
}

const streamed = `,"stream":true,"stream_options":{"include_usage":true}`

// tell sends a request and reads as much as there is, whatever happens.
func tell(t testing.TB, up *Upstream, body string) (response *http.Response, read []byte, err error) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err = client.Post(up.URL()+chatPath, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	read, err = io.ReadAll(response.Body)
	client.CloseIdleConnections()
	return response, read, err
}

func TestUpstream_StreamsSayTheSameAsPlainAnswers(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	for name, rest := range map[string]string{
		"text": ``, "two answers": `,"n":2`, "tools": `,"tools":` + tools, "schema": `,"response_format":` + person,
		"stop": `,"stop":"你好"`, "length": `,"max_tokens":2`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, plain := post(t, up, chatPath, chat("fake", rest))
			_, stream := post(t, up, chatPath, chat("fake", rest+streamed))
			var whole struct {
				Choices []struct {
					Index   int
					Message struct {
						Content   string
						ToolCalls []struct {
							Function struct{ Name, Arguments string }
						} `json:"tool_calls"`
					}
					Finish string `json:"finish_reason"`
				}
				Usage map[string]any
			}
			if err := json.Unmarshal(plain, &whole); err != nil {
				t.Fatal(err)
			}
			want := collected{text: map[int]string{}, finish: map[int]string{}, arguments: map[string]string{}}
			for _, choice := range whole.Choices {
				want.text[choice.Index], want.finish[choice.Index] = choice.Message.Content, choice.Finish
				for _, call := range choice.Message.ToolCalls {
					want.arguments[call.Function.Name] = call.Function.Arguments
				}
			}
			got := collect(t, stream)
			want.usage, want.done, want.nulls = whole.Usage, true, got.nulls
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(collected{})); diff != "" {
				t.Errorf("plain and streamed differ (-plain +streamed):\n%s", diff)
			}
			if got.nulls == 0 {
				t.Error("no chunk has usage null although usage was asked for")
			}
		})
	}
}

func TestUpstream_WhatTheAnswersSay(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	for _, test := range []struct{ name, body, has, lacks string }{
		{"sentence", chat("fake", ""), openaifake.Sentence, "usage\":null"},
		{"stop", chat("fake", `,"stop":["naïve","—"]`), `"content":"Ahoy! The café is "`, "naïve"},
		{"length", chat("fake", `,"max_tokens":2`), `"finish_reason":"length"`, "café"},
		{"say", chat("fake:say=a%2Cb%3Dc%25", ""), `"content":"a,b=c%"`, "Ahoy"},
		{"echo", chat("fake:echo", `,"x":"\u00e9"`), `\"x\":\"\\u00e9\"`, "é"},
		{"one call", chat("fake", `,"parallel_tool_calls":false,"tools":`+tools), `weather`, `zone`},
		{"named call", chat("fake", `,"tool_choice":{"type":"function","function":{"name":"time"}},"tools":`+tools), `zone`, `weather`},
		{"no call", chat("fake", `,"tool_choice":"none","tools":`+tools), `Ahoy`, `weather`},
		{"instance", chat("fake", `,"response_format":`+person), `{\"born\":\"2026-01-02\",\"name\":\"Paris\",\"pets\":[{\"kind\":\"cat\"}]}`, "Ahoy"},
		{"arguments", chat("fake", `,"tools":`+tools), `{\"city\":\"Paris\",\"days\":9,\"unit\":\"C\"}`, "Ahoy"},
		{"reasoning", chat("fake:reasoning=40,cached=12", ""), `"reasoning_tokens":40`, `"cached_tokens":0`},
		{"no usage", chat("fake:no-usage", ""), `choices`, `prompt_tokens`},
		{"refusal", chat("fake:refuse", ""), `"content":null,"refusal":"I cannot`, `Ahoy`},
		{"thought", chat("fake:think", streamed), `reasoning_content`, `\n\n\n`},
		{"no usage asked", chat("fake", `,"stream":true`), `[DONE]`, `usage`},
		{"no done", chat("fake:no-done", streamed), `"finish_reason":"stop"`, `[DONE]`},
		{"no finish", chat("fake:no-finish", streamed), `[DONE]`, `"finish_reason":"stop"`},
		{"error first", chat("fake:error-event=0", streamed), `{"error":{"message"`, `choices`},
		{"error later", chat("fake:error-event=2,error-name=error", streamed), "event: error\ndata: {\"error\"", `[DONE]`},
		{"garbage event", chat("fake:garbage-event=1", streamed), "[ oh no\n\n", "no such"},
		{"pings", chat("fake:pings", streamed), ": ping\n\n", "\r"},
		{"unknown", chat("fake:unknown", streamed), "event: vendor.debug\ndata: {", "\r"},
		{"fields", chat("fake:fields", streamed), "id: 0\nretry: 3000\ndata: {", "\r"},
		{"tight", chat("fake:tight", streamed), "data:{", "data: "},
		{"twice", chat("fake:duplicate", ""), `{"model":"other","id":"other","id":"chatcmpl-`, "[DONE]"},
		{"body", chat("fake:"+Body("text/plain", "a,b=c%\n"), ""), "a,b=c%\n", "Ahoy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, body := post(t, up, chatPath, test.body)
			if !bytes.Contains(body, []byte(test.has)) || bytes.Contains(body, []byte(test.lacks)) {
				t.Errorf("want %q and not %q in:\n%s", test.has, test.lacks, body)
			}
		})
	}
}

func TestUpstream_FramingVariantsMeanTheSame(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	_, plain := post(t, up, chatPath, chat("fake", streamed))
	want := collect(t, plain)
	for _, variant := range []string{"crlf", "cr", "tight", "bom", "pings", "fields", "split", "write=1", "write=7", "gzip", "close", "gzip,write=3"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			response, body, err := tell(t, up, chat("fake:"+variant, streamed))
			if err != nil || response.StatusCode != 200 {
				t.Fatalf("%v %v", response, err)
			}
			if diff := cmp.Diff(want, collect(t, body), cmp.AllowUnexported(collected{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUpstream_StatusesAndBodies(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	for _, test := range []struct {
		behavior, rest string
		status         int
		header, value  string
		body           string
	}{
		{"status=429,retry-after=7", "", 429, "Retry-After", "7", "rate_limit_exceeded"},
		{"status=500", streamed, 500, "Content-Type", "application/json", "server_error"},
		{"html", streamed, 200, "Content-Type", "text/html; charset=utf-8", "<!DOCTYPE"},
		{"html,status=502", "", 502, "Content-Type", "text/html; charset=utf-8", "<!DOCTYPE"},
		{"garbage", "", 200, "Content-Type", "application/json", "oh no"},
		{"empty", "", 200, "Content-Length", "0", ""},
		{"empty", streamed, 200, "Content-Type", "text/event-stream; charset=utf-8", ""},
		{"type=application/octet-stream", "", 200, "Content-Type", "application/octet-stream", "Ahoy"},
		{"redirect", "", 307, "Location", chatPath, ""},
		{"redirect=http://127.0.0.1:1/x", "", 307, "Location", "http://127.0.0.1:1/x", ""},
	} {
		t.Run(test.behavior, func(t *testing.T) {
			t.Parallel()
			response, body, err := tell(t, up, chat("fake:"+test.behavior, test.rest))
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status || response.Header.Get(test.header) != test.value || !strings.Contains(string(body), test.body) {
				t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
			}
			if response.Header.Get("X-Request-Id") == "" || response.Header.Get("X-Ratelimit-Remaining-Tokens") == "" {
				t.Errorf("OpenAI's headers are missing: %v", response.Header)
			}
		})
	}
}

func TestUpstream_BrokenConnections(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	for _, test := range []struct {
		behavior, rest string
		bytes          int
		want           error
	}{
		{"cut=0", streamed, 0, io.ErrUnexpectedEOF},
		{"cut=100", streamed, 100, io.ErrUnexpectedEOF},
		{"cut=100", "", 100, io.ErrUnexpectedEOF},
		{"cut=100,cut-frame", streamed, 100, io.ErrUnexpectedEOF},
		{"cut=100,cut-frame", "", 100, io.ErrUnexpectedEOF},
		{"cut=100,rst", streamed, -1, syscall.ECONNRESET},
		{"cut-event=0", streamed, 0, io.ErrUnexpectedEOF},
		{"cut=100,close", streamed, 100, nil}, // without framing nobody can tell
		{"end=100", streamed, 100, nil},
		{"end=100", "", 100, nil},
		{"reset", "", -1, syscall.ECONNRESET},
	} {
		t.Run(test.behavior, func(t *testing.T) {
			t.Parallel()
			_, body, err := tell(t, up, chat("fake:"+test.behavior, test.rest))
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if test.bytes >= 0 && len(body) != test.bytes {
				t.Errorf("%d bytes, want %d", len(body), test.bytes)
			}
		})
	}
}

func TestUpstream_ACutAtEveryByteIsAPrefix(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	request := chat("fake", `,"max_tokens":2`+streamed)
	_, whole := post(t, up, chatPath, request)
	id := len(`data: {"id":"chatcmpl-0123456789abcdef00000000`) // the last digits are the request's number
	for at := 1; at < len(whole); at += 97 {
		up.Next(t, "cut="+itoa(at))
		_, body, err := tell(t, up, request)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != at {
			t.Fatalf("cut at %d: %d bytes, %v", at, len(body), err)
		}
		if at > id && !bytes.Equal(body[id:min(at, 300)], whole[id:min(at, 300)]) {
			t.Fatalf("cut at %d is not a prefix", at)
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestUpstream_TimesThenHonest(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t, WithAlias("limited", "status=429,times=2"))
	for i, want := range []int{429, 429, 200, 200} {
		if status, _ := post(t, up, chatPath, chat("limited", "")); status != want {
			t.Errorf("request %d: %d, want %d", i, status, want)
		}
	}
	up.Next(t, "status=500", "", "status=503")
	for i, want := range []int{500, 200, 503, 200} {
		if status, _ := post(t, up, chatPath, chat("fake", "")); status != want {
			t.Errorf("queued request %d: %d, want %d", i, status, want)
		}
	}
	if status, _ := post(t, up, chatPath, chat("fake", `,"user":"fake:status=502"`)); status != 502 {
		t.Errorf("the user field does not steer: %d", status)
	}
}

func TestUpstream_RecordsExactBytesAndChecksKeys(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t, WithKey("secret"))
	body := " {\"model\" :\"fake\",\t\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\"}] , \"unknown\": 1e400}\n"
	if status, _ := post(t, up, chatPath+"?a=b", body); status != 401 {
		t.Errorf("no key: %d", status)
	}
	request, _ := http.NewRequest("POST", up.URL()+chatPath, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer secret")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := drain(t, response); status != 200 {
		t.Errorf("right key: %d %s", status, answer)
	}
	all := up.WaitRequests(t, 2)
	if string(all[1].Body) != body || all[0].Query != "a=b" || all[1].Path != chatPath || all[1].Model != "fake" {
		t.Errorf("recorded %+v", all[1])
	}
}

func TestUpstream_SeesAClientThatGoes(t *testing.T) {
	t.Parallel()
	for _, behavior := range []string{"stall=300", "hold-event=2", "hold", "delay=1h", "first=1h", "gap=1h", "words=1000000"} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			up := NewUpstream(t)
			ctx, cancel := context.WithCancel(t.Context())
			request, _ := http.NewRequestWithContext(ctx, "POST", up.URL()+chatPath, strings.NewReader(chat("fake:"+behavior, streamed)))
			done := make(chan error, 1)
			go func() {
				response, err := http.DefaultClient.Do(request)
				if err == nil {
					defer response.Body.Close()
					_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 300))
				}
				cancel()
				done <- err
			}()
			received := up.WaitRequests(t, 1)[0]
			if strings.HasPrefix(behavior, "hold") || strings.Contains(behavior, "1h") {
				cancel()
			}
			_ = <-done // an error: it was canceled
			up.WaitGone(t, 1)
			<-received.Gone
			<-received.Done
			up.WaitIdle(t)
		})
	}
}

func TestUpstream_ReleaseLetsHeldRequestsGoOn(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	done := make(chan collected, 1)
	go func() {
		_, body, _ := tell(t, up, chat("fake:hold-event=3", streamed))
		done <- collect(t, body)
	}()
	up.WaitRequests(t, 1)
	up.Release() // the request may reach its gate a moment later
	if got := <-done; !got.done || got.finish[0] != "stop" {
		t.Errorf("%+v", got)
	}
}

func TestUpstream_CloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	up, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(up.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := chat("fake:stall=10", "")
	_, _ = io.WriteString(conn, "POST "+chatPath+" HTTP/1.1\r\nHost: x\r\nContent-Length: "+itoa(len(body))+"\r\n\r\n"+body)
	up.WaitRequests(t, 1)
	up.Close()
	up.Close()
}

func TestParse_NamesTheMistake(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"cutt=3": `unknown directive "cutt"`, "cut=x": "needs a number", "cut=-1": "needs a number", "delay=3": "needs a duration",
		"rst=1": "takes no value", "say=%zz": "invalid URL escape",
	} {
		if _, err := parse(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	up := NewUpstream(t)
	if status, body := post(t, up, chatPath, chat("fake:cutt=3", "")); status != http.StatusTeapot || !strings.Contains(string(body), "cutt") {
		t.Errorf("a mistake in a model's name: %d %s", status, body)
	}
	if _, err := Start(WithAlias("x", "cutt=3")); err == nil {
		t.Error("a mistake in an alias starts")
	}
}

func TestUpstream_SteeredOverHTTP(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	if status, _ := post(t, up, "/_fake/next", "status=418"); status != 200 {
		t.Errorf("next: %d", status)
	}
	if status, _ := post(t, up, "/_fake/next", "nonsense"); status != 400 {
		t.Errorf("bad next: %d", status)
	}
	if status, _ := post(t, up, chatPath, chat("fake", "")); status != 418 {
		t.Errorf("steered: %d", status)
	}
	if _, body := get(t, up.URL()+"/_fake/counts?total=1&idle=1"); string(body) != "{\"gone\":0,\"in_flight\":0,\"total\":1}\n" {
		t.Errorf("counts %s", body)
	}
	if _, body := get(t, up.URL()+"/_fake/requests"); !bytes.Contains(body, []byte(`"path":"/v1/chat/completions"`)) {
		t.Errorf("requests %s", body)
	}
}

func TestVector_IsExactInFloat32AndBase64(t *testing.T) {
	t.Parallel()
	up := NewUpstream(t)
	_, body := post(t, up, embedPath, `{"model":"fake-embedding","input":"a","dimensions":3}`)
	var floats struct {
		Data []struct{ Embedding []float32 }
	}
	if err := json.Unmarshal(body, &floats); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{-31. / 128, 0, 31. / 128}, floats.Data[0].Embedding); diff != "" {
		t.Error(diff) // (97-128)/128, (97+31-128)/128, (97+62-128)/128
	}
	_, body = post(t, up, embedPath, `{"model":"fake-embedding","input":"a","dimensions":3,"encoding_format":"base64"}`)
	if !bytes.Contains(body, []byte(`"AAB4vgAAAAAAAHg+"`)) {
		t.Errorf("%s", body)
	}
}
