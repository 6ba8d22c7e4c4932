package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/testkit"
)

const (
	moderationsPath    = "/v1/moderations"
	speechPath         = "/v1/audio/speech"
	transcriptionsPath = "/v1/audio/transcriptions"
	translationsPath   = "/v1/audio/translations"
	imagesPath         = "/v1/images/generations"
	imageEditsPath     = "/v1/images/edits"
	variationsPath     = "/v1/images/variations"
)

func speaking(model string, rest ...string) string {
	return `{"model":"` + model + `","input":"Ahoy there","voice":"alloy"` + strings.Join(rest, "") + `}`
}

// sendForm posts a form.
func (g *gateway) sendForm(t testing.TB, path string, fields ...string) reply {
	t.Helper()
	body, kind := form(t, fields...)
	return g.do(t, "POST", path, body, "Content-Type", kind)
}

func TestMedia_AnswersAsTheUpstreamDid(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets())
	transcriptTokens := money.Tokens{Input: 10, AudioInput: 4, Output: 31}
	imageTokens := money.Tokens{Input: 10, ImageInput: 40, ImageOutput: 50}
	file := []string{"file", "@" + sound}
	for name, tc := range map[string]struct {
		path   string
		json   string
		form   []string
		format string
		stream bool
		usage  money.Tokens
		state  money.State
	}{
		"moderations":           {path: moderationsPath, json: `{"model":"honest","input":["a","b"]}`, state: money.Unknown},
		"speech":                {path: speechPath, json: speaking("honest"), state: money.Unknown},
		"speech, events":        {path: speechPath, json: speaking("honest", `,"stream_format":"sse"`), stream: true, usage: money.Tokens{Input: 14, AudioOutput: 101}, state: money.Known},
		"transcription":         {path: transcriptionsPath, form: append(file, "model", "honest"), usage: transcriptTokens, state: money.Known},
		"transcription, srt":    {path: transcriptionsPath, form: append(file, "model", "honest", "response_format", "srt"), format: "srt", state: money.Unknown},
		"transcription, events": {path: transcriptionsPath, form: append(file, "model", "honest", "stream", "true"), stream: true, usage: transcriptTokens, state: money.Known},
		"translation":           {path: translationsPath, form: append(file, "model", "honest"), state: money.Unknown},
		"images":                {path: imagesPath, json: `{"model":"honest","prompt":"a ship"}`, usage: imageTokens, state: money.Known},
		"images, events":        {path: imagesPath, json: `{"model":"honest","prompt":"a ship","stream":true,"partial_images":1}`, stream: true, usage: imageTokens, state: money.Known},
		"an edit":               {path: imageEditsPath, form: []string{"image[]", "@\x89PNG", "image[]", "@\x89PNG", "model", "honest", "prompt", "a sail"}, usage: imageTokens, state: money.Known},
		"an edit, events":       {path: imageEditsPath, form: []string{"image", "@\x89PNG", "model", "honest", "prompt", "a sail", "stream", "true"}, stream: true, usage: imageTokens, state: money.Known},
		"an edit in JSON":       {path: imageEditsPath, json: `{"model":"honest","prompt":"a sail","images":[{"image_url":"https://a.invalid/b.png"}]}`, usage: imageTokens, state: money.Known},
		"a variation":           {path: variationsPath, form: []string{"image", "@\x89PNG", "model", "honest"}, usage: imageTokens, state: money.Known},
	} {
		for _, model := range []string{"honest", "zipped"} {
			t.Run(name+", "+model, func(t *testing.T) {
				t.Parallel()
				kind, want := honestMedia(tc.path, tc.stream, tc.format)
				var got reply
				if tc.form != nil {
					fields := append([]string(nil), tc.form...)
					for i := range fields {
						fields[i] = strings.Replace(fields[i], "honest", model, 1)
					}
					got = g.sendForm(t, tc.path, fields...)
				} else {
					got = g.do(t, "POST", tc.path, strings.Replace(tc.json, "honest", model, 1), "Content-Type", "application/json")
				}
				if got.status != 200 || got.err != nil || got.body != want || got.header.Get("Content-Type") != kind {
					t.Fatalf("%d %s, %v: %.200q", got.status, got.header.Get("Content-Type"), got.err, got.body)
				}
				if got.header.Get("X-Fairlead-Target") != model {
					t.Errorf("headers %v", got.header)
				}
				x := g.of(t, got)
				if x.Result.Status != exchange.OK || x.Bill.Usage != tc.usage || x.Bill.Cost.State != tc.state || x.Asked.Stream != tc.stream || x.Result.Bytes != int64(len(want)) {
					t.Errorf("recorded %+v\n%+v", x.Result, x.Bill)
				}
				if cost := tc.usage.TotalInput() + 2*tc.usage.TotalOutput(); tc.state == money.Known && !x.Bill.Cost.USD.Equal(money.MustParse("0.000001").Mul(cost)) {
					t.Errorf("cost %s, want %d millionths", x.Bill.Cost.USD, cost)
				}
			})
		}
	}
}

func TestMedia_WhatIsSentIsWhatCameWithTheTargetsModel(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, strings.ReplaceAll(m.targets(), "  free: {", "  voice: {"))
	big := strings.Repeat(sound, 10<<20/len(sound)+1) // 10 MB
	body, kind := form(t, "file", "@"+big, "model", "voice", "language", "de", "include[]", "logprobs", "include[]", "x")
	got := g.do(t, "POST", transcriptionsPath, body, "Content-Type", kind)
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s := m.last(t)
	if want := strings.Replace(body, "\r\n\r\nvoice\r\n", "\r\n\r\nmute\r\n", 1); string(s.body) != want || s.model != "mute" {
		t.Errorf("model %q, %d bytes, want %d", s.model, len(s.body), len(want))
	}
	if _, params, err := mime.ParseMediaType(s.contentType); err != nil || !strings.Contains(kind, params["boundary"]) || s.accept != "*/*" {
		t.Errorf("sent as %q, %v, accepting %q", s.contentType, err, s.accept)
	}
	if x := g.of(t, got); x.Asked.Bytes != int64(len(body)) || x.Asked.Model != "voice" || x.Asked.Surface != "transcriptions" {
		t.Errorf("recorded %+v", x.Asked)
	}

	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = zip.Write([]byte(body)) // into memory: cannot fail
	_ = zip.Close()
	if got := g.do(t, "POST", transcriptionsPath, zipped.String(), "Content-Type", kind, "Content-Encoding", "gzip"); got.status != 200 || len(m.last(t).body) != len(s.body) {
		t.Errorf("gzip: %d %s", got.status, got.body)
	}

	g.do(t, "POST", speechPath, `{ "voice":"a", "model":"voice", "input":"ö", "new_field":[1e400] }`)
	if s := m.last(t); string(s.body) != `{ "voice":"a", "model":"mute", "input":"ö", "new_field":[1e400] }` || s.path != speechPath {
		t.Errorf("sent %s to %s", s.body, s.path)
	}
}

func TestMedia_WrongRequests(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets()+`
limits: { body: 1MiB }
keys:
  - { name: app, secret: app-secret }
  - { name: boss, secret: admin-secret, scopes: [admin] }
`)
	good, kind := form(t, "file", "@x", "model", "honest")
	twice, twiceKind := form(t, "model", "honest", "file", "@x", "model", "honest")
	none, noneKind := form(t, "file", "@x")
	unknown, unknownKind := form(t, "file", "@x", "model", "nobody")
	aFile, aFileKind := form(t, "model", "@honest", "file", "@x")
	streams, streamsKind := form(t, "model", "honest", "stream", "true", "stream", "false")
	large, largeKind := form(t, "model", "honest", "file", "@"+strings.Repeat("x", 1<<20))
	cheap := []string{"X-Fairlead-Max-Usd", "0.0000001"}
	for name, tc := range map[string]struct {
		path, kind, body string
		headers          []string
		status           int
		param, code      string
		says             string
	}{
		"another boundary":         {transcriptionsPath, "multipart/form-data; boundary=other", good, nil, 400, "", "invalid_form", `boundary "other"`},
		"no boundary":              {transcriptionsPath, "multipart/form-data", good, nil, 400, "", "invalid_form", "names no boundary"},
		"a cut form":               {transcriptionsPath, kind, good[:len(good)-30], nil, 400, "", "invalid_form", "ends within"},
		"two models":               {transcriptionsPath, twiceKind, twice, nil, 400, "model", "invalid_form", "twice"},
		"a model that is a file":   {transcriptionsPath, aFileKind, aFile, nil, 400, "model", "invalid_form", "plain text"},
		"two wishes for a stream":  {transcriptionsPath, streamsKind, streams, nil, 400, "stream", "invalid_form", "twice"},
		"a form without a model":   {transcriptionsPath, noneKind, none, nil, 400, "model", "missing_required_parameter", "name a model or a target"},
		"JSON for a form":          {transcriptionsPath, "application/json", `{"model":"honest"}`, nil, 400, "", "", "takes a body of multipart/form-data"},
		"nothing said for a form":  {variationsPath, "", good, nil, 400, "", "", "takes a body of multipart/form-data"},
		"a form for JSON":          {speechPath, kind, good, nil, 400, "", "", "takes a JSON body"},
		"JSON without a model":     {moderationsPath, "", `{"input":"a"}`, nil, 400, "model", "missing_required_parameter", "name a model or a target"},
		"a null model":             {imagesPath, "", `{"prompt":"a","model":null}`, nil, 400, "model", "missing_required_parameter", "name a model or a target"},
		"two models in JSON":       {imagesPath, "", `{"prompt":"a","model":"honest","model":"honest"}`, nil, 400, "", "invalid_json", "duplicate"},
		"no prompt":                {imagesPath, "", `{"model":"honest"}`, nil, 400, "prompt", "missing_required_parameter", "prompt is missing"},
		"no input":                 {speechPath, "", `{"model":"honest"}`, nil, 400, "input", "missing_required_parameter", "input is missing"},
		"a wrong type":             {speechPath, "", `{"model":"honest","input":1}`, nil, 400, "input", "invalid_type", "must be a string"},
		"not JSON":                 {moderationsPath, "", `{`, nil, 400, "", "invalid_json", "not valid JSON"},
		"an array":                 {moderationsPath, "", `[]`, nil, 400, "", "", "JSON object"},
		"an unknown model":         {transcriptionsPath, unknownKind, unknown, nil, 404, "model", "model_not_found", "nobody"},
		"a target that cannot":     {imagesPath, "", `{"model":"other","prompt":"a"}`, nil, 400, "model", "no_eligible_target", "cannot do images"},
		"a body too large":         {transcriptionsPath, largeKind, large, nil, 413, "", "request_too_large", "limits.body"},
		"a cap that is too low":    {speechPath, "", speaking("honest"), cheap, 402, "", "insufficient_quota", ""},
		"no such endpoint":         {"/v1/audio/songs", "", `{}`, nil, 404, "", "unknown_url", ""},
		"an error of the upstream": {imagesPath, "", `{"model":"broken","prompt":"a"}`, nil, 502, "", "", "oh no"},
		"a page of the upstream":   {speechPath, "", speaking("html"), nil, 502, "", "", "text/html"},
		"silence":                  {speechPath, "", speaking("silent"), nil, 502, "", "", "empty"},
		"not the JSON it says":     {imagesPath, "", `{"model":"torn","prompt":"a"}`, nil, 502, "", "", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.do(t, "POST", tc.path, tc.body, append([]string{"Content-Type", tc.kind}, tc.headers...)...)
			f := failure(t, got.body)
			if got.status != tc.status || tc.param != "" && text(f.Error.Param) != tc.param || tc.code != "" && text(f.Error.Code) != tc.code || !strings.Contains(f.Error.Message, tc.says) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	if got := g.do(t, "GET", speechPath, ""); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", got.status, got.header)
	}
}

func TestMedia_FallsBackBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets())
	for _, first := range []string{"broken", "html", "silent", "torn"} {
		for _, rest := range []string{"", `,"stream_format":"sse"`} {
			got := g.do(t, "POST", speechPath, speaking(first+"-first", rest))
			_, want := honestMedia(speechPath, rest != "", "")
			if got.status != 200 || got.body != want || got.header.Get("X-Fairlead-Target") != "honest" {
				t.Errorf("%s%s: %d %.100q", first, rest, got.status, got.body)
			}
			if x := g.of(t, got); len(x.Attempts) != 2 || x.Attempts[0].Status != exchange.Failed || x.Attempts[1].Status != exchange.OK {
				t.Errorf("%s%s: attempts %+v", first, rest, x.Attempts)
			}
		}
	}
}

func TestMedia_PassesSoundOnAsItComes(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets())
	res, err := g.open(t.Context(), "POST", speechPath, speaking("slow"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, len(sound)/2)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != sound[:len(first)] {
		t.Fatalf("the first half: %v", err) // while the upstream holds back the second
	}
	close(m.gate)
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != sound[len(first):] {
		t.Errorf("the second half: %v, %d bytes", err, len(rest))
	}
}

func TestMedia_CutAnswersNeverEndAsIfWhole(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets())
	t.Run("sound", func(t *testing.T) {
		t.Parallel()
		rows := g.watch(t)
		res, err := g.open(t.Context(), "POST", speechPath, speaking("cut"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if res.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != sound[:len(sound)/2] {
			t.Errorf("%d, %d bytes, %v", res.StatusCode, len(got), err)
		}
		for x := next(t, rows); ; x = next(t, rows) {
			if x.Asked.Surface != "speech" {
				continue
			}
			if x.Result.Status != exchange.Cut || x.Result.Kind != "cut" || x.Result.HTTPStatus != 200 || x.Attempts[0].Status != exchange.Cut || x.Bill.Cost.State != money.Unknown {
				t.Errorf("recorded %+v %+v", x.Result, x.Bill)
			}
			return
		}
	})
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		got := g.do(t, "POST", imagesPath, `{"model":"cut","prompt":"a ship","stream":true}`)
		if got.status == 200 {
			events := testkit.EventData([]byte(got.body))
			failure(t, string(events[len(events)-1]))
		}
		if x := g.of(t, got); x.Result.Kind != "cut" {
			t.Errorf("recorded %+v", x.Result)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		got := g.sendForm(t, transcriptionsPath, "model", "cut", "file", "@x")
		if got.status != 502 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

func TestMedia_HangUpCancelsTheUpstream(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]string{"before the answer": "hold", "within the answer": "slow"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMedia(t)
			g := start(t, nil, m.targets())
			rows := g.watch(t)
			ctx, hangUp := context.WithCancel(t.Context())
			answered := make(chan error, 1)
			read := make(chan struct{})
			go func() {
				res, err := g.open(ctx, "POST", speechPath, speaking(model))
				if err == nil {
					defer res.Body.Close()
					_, _ = io.ReadFull(res.Body, make([]byte, 10)) // some of it came
					close(read)
					_, err = io.Copy(io.Discard, res.Body)
				}
				answered <- err
			}()
			if model == "slow" {
				<-read
			} else {
				<-m.came
			}
			hangUp()
			begun := time.Now()
			<-m.gone
			if took := time.Since(begun); took > 100*time.Millisecond {
				t.Errorf("the upstream was left after %s", took)
			}
			if err := <-answered; err == nil {
				t.Error("the answer ended well for a client that left")
			}
			if x := next(t, rows); x.Result.Status != exchange.Canceled || x.Bill.Cost.State != money.Unknown {
				t.Errorf("recorded %+v %+v", x.Result, x.Bill)
			}
		})
	}
}

func TestMedia_CostsWithoutUsage(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets()+`
keys:
  - { name: app, secret: app-secret }
  - { name: boss, secret: admin-secret, scopes: [admin] }
  - { name: tight, secret: tight-secret, budget: { usd: 0.0001, per: day } }
`)
	for model, want := range map[string]money.State{"mute": money.Unknown, "free": money.Known} {
		got := g.do(t, "POST", imagesPath, `{"model":"`+model+`","prompt":"a"}`)
		if x := g.of(t, got); got.status != 200 || x.Bill.Cost.State != want || !x.Bill.Cost.USD.IsZero() || got.header.Get("X-Fairlead-Cost-State") != want.String() {
			t.Errorf("%s: %d %+v %v", model, got.status, x.Bill, got.header)
		}
	}
	// OpenAI's moderations are free, by the catalog's row.
	got := g.do(t, "POST", moderationsPath, `{"model":"hosted","input":"a"}`)
	if x := g.of(t, got); got.status != 200 || x.Bill.Cost.State != money.Known || x.Result.AnswerID != "modr-1" {
		t.Errorf("%d %+v %+v", got.status, x.Result, x.Bill)
	}
	// What nobody counted is not nothing: what was set aside stays spent.
	tight := []string{"Authorization", "Bearer tight-secret"}
	spoken := 0
	for ; spoken < 10; spoken++ {
		if got := g.do(t, "POST", speechPath, speaking("honest"), tight...); got.status == http.StatusPaymentRequired {
			failure(t, got.body)
			break
		}
	}
	if spoken == 0 || spoken == 10 {
		t.Errorf("a budget of 100 millionths was enough for %d speeches", spoken)
	}
}
