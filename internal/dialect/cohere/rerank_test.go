package cohere

import (
	"strings"
	"testing"

	api "github.com/cohere-ai/cohere-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	req, err := Decode(llm.Incoming{Surface: llm.Rerank, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	req.ID = "01J"
	return req
}

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	for body, param := range map[string]string{
		``: "", `[]`: "", `{"model":"m","model":"n","query":"q","documents":["a"]}`: "", `{"query":"q","documents":["a"]}`: "model", `{"model":1,"query":"q","documents":["a"]}`: "model",
		`{"model":"m","documents":["a"]}`: "query", `{"model":"m","query":null,"documents":["a"]}`: "query", `{"model":"m","query":["q"],"documents":["a"]}`: "query",
		`{"model":"m","query":"q"}`: "documents", `{"model":"m","query":"q","documents":[]}`: "documents", `{"model":"m","query":"q","documents":"a"}`: "documents", `{"model":"m","query":"q","documents":["a",1]}`: "documents[1]",
		`{"model":"m","query":"q","documents":["a"],"top_n":0}`: "top_n", `{"model":"m","query":"q","documents":["a"],"top_n":1.5}`: "top_n", `{"model":"m","query":"q","documents":["a"],"return_documents":"yes"}`: "return_documents",
	} {
		_, err := Decode(llm.Incoming{Surface: llm.Rerank, Body: []byte(body)})
		if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != param {
			t.Errorf("%s: %v (param %q)", body, err, e.Param)
		}
	}
	if _, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(`{}`)}); llm.AsError(err).Kind != llm.Unsupported {
		t.Errorf("chat: %v", err)
	}
}

const asked = `{"model":"m","query":"q","documents":["a",{"text":"b"},"c"],"top_n":2,"return_documents":true,"max_tokens_per_doc":9,"x":{"y":[1]}}`

func TestEncode_ChangesLittle(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		asked: `{"model":"t","query":"q","documents":["a","b","c"],"top_n":2,"max_tokens_per_doc":9,"x":{"y":[1]}}`,
		`{"model":"t", "query":"q","documents":["a"],"return_documents":false}`:            `{"model":"t", "query":"q","documents":["a"],"return_documents":false}`,
		`{"model":"t","query":{"image":"u"},"documents":[{"text":"a"},{"image":"u"},"b"]}`: `{"model":"t","query":{"image":"u"},"documents":[{"text":"a"},{"image":"u"},"b"]}`,
	} {
		body, lost, err := Encode(decode(t, in), llm.Options{Model: "t"})
		if err != nil || lost != nil || string(body.Join()) != want {
			t.Errorf("%s\n got %s\nwant %s (%v)", in, body, want, err)
		}
	}
}

func TestRead_AndWriteAnew(t *testing.T) {
	t.Parallel()
	p, err := Read(decode(t, asked))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&llm.Prompt{Surface: llm.Rerank, Query: "q", Documents: []string{"a", "b", "c"}, TopN: 2, Unread: []string{"max_tokens_per_doc", "x"}}, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	body, _, err := Write(p, false, llm.Options{Model: "t"})
	if want := `{"model":"t","query":"q","documents":["a","b","c"],"top_n":2}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	judge(t, body, &api.V2RerankRequest{})
	for _, in := range []string{`{"model":"m","query":{"text":"q"},"documents":["a"]}`, `{"model":"m","query":"q","documents":[{"text":"a","title":"b"}]}`} {
		if _, err := Read(decode(t, in)); llm.AsError(err).Kind != llm.Unsupported {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestAnswer_OfEveryKindOfUpstream: whatever the form, clients see results with relevance_score, the best first.
// origin: described, from the publishers' pages.
func TestAnswer_OfEveryKindOfUpstream(t *testing.T) {
	t.Parallel()
	const plain = `{"model":"m","query":"q","documents":["a",{"text":"b"},"c"],"top_n":2}`
	for name, c := range map[string]struct {
		asked, in, want string
		usage           money.Tokens
	}{
		"Cohere": {
			plain, `{"id":"r1","results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}, "new":1}`,
			`{"id":"r1","results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}, "new":1}`, money.Tokens{Requests: 1},
		},
		"Cohere, documents wanted": {
			asked, `{"id":"r1","results":[{"index":2,"relevance_score":0.9},{"index":1,"relevance_score":0.1}],"meta":{"billed_units":{"search_units":2.0}}}`,
			`{"id":"r1","results":[{"index":2,"relevance_score":0.9,"document":{"text":"c"}},{"index":1,"relevance_score":0.1,"document":{"text":"b"}}],"meta":{"billed_units":{"search_units":2.0}}}`, money.Tokens{Requests: 2},
		},
		"Jina": {
			plain, `{"model":"jina-reranker-v3","object":"list","usage":{"total_tokens":15},"results":[{"index":0,"relevance_score":0.5,"document":{"text":"a"}},{"index":1,"relevance_score":0.75}]}`,
			`{"model":"jina-reranker-v3","object":"list","usage":{"total_tokens":15},"results":[{"index":1,"relevance_score":0.75},{"index":0,"relevance_score":0.5,"document":{"text":"a"}}]}`, money.Tokens{Input: 15},
		},
		"Voyage": {
			plain, `{"object":"list","data":[{"relevance_score":0.5,"index":1},{"relevance_score":0.25,"index":0},{"relevance_score":0.1,"index":2}],"model":"rerank-2","usage":{"total_tokens":26}}`,
			`{"id":"rerank-01J","model":"rerank-2","results":[{"relevance_score":0.5,"index":1},{"relevance_score":0.25,"index":0}],"usage":{"total_tokens":26}}`, money.Tokens{Input: 26},
		},
		"text-embeddings-inference": {plain, `[{"index":1,"score":0.5},{"index":0,"score":-2e-5}]`, `{"id":"rerank-01J","results":[{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":-2e-05}]}`, money.Tokens{}},
		"vLLM": {
			plain, `{"id":"r","model":"m","usage":{"total_tokens":5,"prompt_tokens":4},"results":[{"index":0,"document":{"text":"a"},"relevance_score":1}]}`,
			`{"id":"r","model":"m","usage":{"total_tokens":5,"prompt_tokens":4},"results":[{"index":0,"document":{"text":"a"},"relevance_score":1}]}`, money.Tokens{Input: 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev, err := Answer(decode(t, c.asked), llm.Options{Translate: true}, []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(ev.Raw)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if ev.Usage != c.usage || (ev.Marks&llm.MarkUsage != 0) != !c.usage.IsZero() || ev.Marks&llm.MarkWhole == 0 {
				t.Errorf("%+v", ev)
			}
			body, lost := WriteAnswer(decode(t, c.asked), ev.Answer)
			var sdk api.V2RerankResponse
			if err := sdk.UnmarshalJSON(body); err != nil || len(lost) > 0 || len(sdk.Results) != len(ev.Answer.Ranks) {
				t.Errorf("%s: %v", body, err)
			}
			for i, r := range ev.Answer.Ranks {
				if sdk.Results[i].Index != r.Index || sdk.Results[i].RelevanceScore != r.Score {
					t.Errorf("result %d: %+v", i, sdk.Results[i])
				}
			}
		})
	}
}

func TestAnswer_RefusesRanksOfNothing(t *testing.T) {
	t.Parallel()
	req := decode(t, asked)
	for _, body := range []string{
		``, `null`, `"x"`, `{}`, `{"results":{}}`, `<html>`, `{"results":[{"index":3,"relevance_score":1}]}`, `{"results":[{"index":-1,"relevance_score":1}]}`, `{"results":[{"index":0}]}`, `{"results":[{"relevance_score":1}]}`,
		`{"results":[1]}`, `[{"index":0,"score":1},{"index":0,"score":1},{"index":0,"score":1},{"index":0,"score":1}]`, `{"detail":"no balance"}`,
	} {
		if _, err := Answer(req, llm.Options{}, []byte(body)); err == nil || llm.AsError(err).Kind != llm.Upstream {
			t.Errorf("%q: %v", body, err)
		}
	}
	if _, err := Answer(req, llm.Options{}, []byte(`{"detail":"no balance"}`)); llm.AsError(err).Message != "no balance" {
		t.Errorf("%v", err)
	}
}

func TestWriteAnswer(t *testing.T) {
	t.Parallel()
	a := &llm.Answer{Ranks: []llm.Rank{{Index: 1, Score: .5}, {Index: 0, Score: 1e-7}, {Index: 2}}, Usage: money.Tokens{Requests: 2, Input: 9}}
	body, _ := WriteAnswer(decode(t, asked), a)
	want := `{"id":"rerank-01J","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b"}},{"index":0,"relevance_score":1e-07,"document":{"text":"a"}}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":2}},"usage":{"prompt_tokens":9,"total_tokens":9}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		body    string
		kind    llm.Kind
		message string
	}{
		{401, `{"id":"x","message":"invalid api token"}`, llm.Unauthorized, "invalid api token"},
		{400, `{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081"}`, llm.TooLong, ""},
		{422, `{"detail":"bad"}`, llm.Invalid, "bad"}, {422, `{"error":"empty","error_type":"Validation"}`, llm.Invalid, "empty"}, {400, `{"error":{"message":"m"}}`, llm.Invalid, "m"},
		{404, `{"message":"model 'x' not found"}`, llm.NotFound, ""}, {429, `{}`, llm.RateLimited, "the upstream answered with HTTP status 429"}, {502, `<html>`, llm.Upstream, ""}, {503, ``, llm.Overloaded, ""},
		{500, `{"message":"` + strings.Repeat("é", 2000) + `"}`, llm.Upstream, strings.Repeat("é", 1000) + " …"},
	} {
		e := DecodeError(c.status, []byte(c.body))
		if e.Kind != c.kind || e.Status != c.status || c.message != "" && e.Message != c.message {
			t.Errorf("%d %.50s: %+v", c.status, c.body, e)
		}
	}
	got := string(AppendError(nil, &llm.Error{Kind: llm.Invalid, Message: `a "b"`, Param: "top_n", Code: "c"}))
	if want := `{"message":"a \"b\"","type":"invalid","param":"top_n","code":"c"}`; got != want {
		t.Errorf("%s", got)
	}
}

func FuzzRerank(f *testing.F) {
	f.Add([]byte(asked), []byte(`{"results":[{"index":0,"relevance_score":1}]}`))
	f.Add([]byte(`{"model":"m","query":"q","documents":["a"]}`), []byte(`[{"index":0,"score":1}]`))
	f.Fuzz(func(t *testing.T, body, answer []byte) {
		req, err := Decode(llm.Incoming{Surface: llm.Rerank, Body: body})
		if err != nil {
			return
		}
		sent, _, err := Encode(req, llm.Options{Model: "t"})
		if err != nil {
			t.Fatalf("%s cannot be sent: %v", body, err)
		}
		if _, err := Decode(llm.Incoming{Surface: llm.Rerank, Body: sent.Join()}); err != nil {
			t.Fatalf("%s became %s: %v", body, sent, err)
		}
		_, _ = Read(req) // may be unsupported
		ev, err := Answer(req, llm.Options{Translate: true}, answer)
		if err != nil {
			return
		}
		again, err := Answer(req, llm.Options{}, ev.Raw)
		if err != nil || string(again.Raw) != string(ev.Raw) {
			t.Fatalf("%s became %s, then %s: %v", answer, ev.Raw, again.Raw, err)
		}
	})
}
