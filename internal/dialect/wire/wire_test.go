package wire

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

func object(t *testing.T, body string) rawjson.Doc {
	t.Helper()
	doc, err := Object([]byte(body), rawjson.Default())
	if err != nil {
		t.Fatalf("Object(%s): %v", body, err)
	}
	return doc
}

func TestObjectRefusesWhatIsNoSoundObject(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		``:               "the body is not valid JSON: ",
		`{"a":`:          "the body is not valid JSON: ",
		`{"a":1,"a":2}`:  "the body was refused: ",
		`{"a":[[[[]]]]}`: "the body was refused: ",
		`[]`:             "the body must be a JSON object",
		`null`:           "the body must be a JSON object",
	} {
		_, err := Object([]byte(body), rawjson.Limits{Depth: 4})
		if e := llm.AsError(err); e == nil || e.Kind != llm.Invalid || !strings.HasPrefix(e.Message, says) {
			t.Errorf("%s: got %v, want %q…", body, err, says)
		}
	}
}

func TestFieldsOfTheWrongKindAreNamed(t *testing.T) {
	t.Parallel()
	known := map[string]Kinds{"n": {rawjson.Number}, "stop": {rawjson.String, rawjson.Array}}
	for body, says := range map[string]string{
		`{}`: "", `{"n":1,"stop":"x","new":{}}`: "", `{"n":null}`: "", `{"stop":[]}`: "", `{"N":"x"}`: "",
		`{"n":"1"}`:      "n must be a number, got a string",
		`{"\u006e":"1"}`: "n must be a number, got a string",
		`{"stop":1}`:     "stop must be a string or an array, got a number",
	} {
		doc := object(t, body)
		check(t, body, CheckFields(&doc, known), says)
		if says != "" {
			says = "options." + says
		}
		check(t, body, CheckWithin("options.", doc.Root(), known), says)
	}
}

func check(t *testing.T, body string, err error, says string) {
	t.Helper()
	if says == "" {
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		return
	}
	field, _, _ := strings.Cut(says, " ")
	if e := llm.AsError(err); err == nil || e.Message != says || e.Param != field || e.Code != "invalid_type" {
		t.Errorf("%s: got %v, want %q", body, err, says)
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"model":"m"}`: "m",
		`{"model":"` + strings.Repeat("m", MaxModel) + `"}`: strings.Repeat("m", MaxModel),
	} {
		doc := object(t, body)
		if got, err := Model(&doc, Unnamed); got != want || err != nil {
			t.Errorf("%.40s: got %.40q, %v", body, got, err)
		}
	}
	for body, says := range map[string]string{
		`{}`: Unnamed, `{"model":""}`: Unnamed, `{"model":null}`: Unnamed,
		`{"model":"` + strings.Repeat("m", MaxModel+1) + `"}`: "model must be at most 256 bytes long",
	} {
		doc := object(t, body)
		if _, err := Model(&doc, Unnamed); err == nil || llm.AsError(err).Message != says || llm.AsError(err).Param != "model" {
			t.Errorf("%.40s: got %v, want %q", body, err, says)
		}
	}
}

func TestBadFieldNamesTheField(t *testing.T) {
	t.Parallel()
	var in struct {
		Messages []struct {
			Role string `json:"role"`
		} `json:"messages"`
	}
	err := BadField(json.Unmarshal([]byte(`{"messages":[{"role":1}]}`), &in))
	if e := llm.AsError(err); e.Param != "messages.0.role" || e.Message != "messages.0.role has the wrong type: a number cannot stand here" {
		t.Errorf("got %q of %q", e.Message, e.Param)
	}
	if e := llm.AsError(BadField(errors.New("other"))); e.Message != "a field of the request has the wrong type" {
		t.Errorf("got %q", e.Message)
	}
}

func TestTagsAreReadAndDropped(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"model":"m"}`:                                          `{"model":"m"}`,
		`{"model":"m","metadata":{"a":"b"}}`:                     `{"model":"m","metadata":{"a":"b"}}`,
		`{"model":"m","metadata":{"fairlead_task":"x"}}`:         `{"model":"m"}`,
		`{"model":"m","metadata":{"a":"b","fairlead_task":"x"}}`: `{"model":"m","metadata":{"a":"b"}}`,
	} {
		req := &llm.Request{Doc: object(t, body)}
		metadata, _ := req.Doc.Get("metadata")
		if err := ReadTags(req, metadata, "metadata"); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		edit := Edit(req, llm.Options{})
		if found := DropTags(req, &edit, "metadata"); found != (body != want) {
			t.Errorf("%s: found %v", body, found)
		}
		got, err := edit.Apply()
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", body, got, err)
		}
	}
	req := &llm.Request{Doc: object(t, `{"labels":{"fairlead_task":1}}`)}
	labels, _ := req.Doc.Get("labels")
	if err := ReadTags(req, labels, "labels"); err == nil || llm.AsError(err).Param != "labels.fairlead_task" {
		t.Errorf("got %v", err)
	}
	left := WithoutTags(map[string]string{"fairlead_task": "x", "a": "b"})
	if diff := cmp.Diff(map[string]string{"a": "b"}, left); diff != "" || WithoutTags(map[string]string{"fairlead_task": "x"}) != nil {
		t.Error(diff)
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	extra := map[string]jsontext.Value{"b": jsontext.Value("1"), "a": jsontext.Value("{}"), "no": jsontext.Value("null"), "store": jsontext.Value("true")}
	if diff := cmp.Diff([]string{"tools.a", "tools.b"}, Unread(extra, "tools.", "store")); diff != "" {
		t.Error(diff)
	}
}

func TestURLsGoBothWays(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]llm.Media{
		"https://x.test/a.png":        {URL: "https://x.test/a.png"},
		"data:image/png;base64,AAAA":  {MIME: "image/png", Base64: "AAAA"},
		"data:image/jpeg;base64,/9j/": {MIME: "image/jpeg", Base64: "/9j/"},
	} {
		m := ReadURL(url)
		if diff := cmp.Diff(&want, m); diff != "" || WriteURL(m, "image/gif") != url {
			t.Errorf("%s: %s, and back %s", url, diff, WriteURL(m, "image/gif"))
		}
	}
	if got := WriteURL(&llm.Media{Base64: "AAAA"}, "image/png"); got != "data:image/png;base64,AAAA" {
		t.Error(got)
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	own := map[int]llm.Kind{402: llm.Unpaid, 404: llm.Upstream}
	for status, want := range map[int]llm.Kind{429: llm.RateLimited, 402: llm.Unpaid, 404: llm.Upstream, 418: llm.Upstream} {
		if e := Refusal(status, own); e.Kind != want || e.Status != status {
			t.Errorf("%d: got %v", status, e.Kind)
		}
	}
	if e := SayStatus(Refusal(418, nil)); e.Message != "the upstream answered with HTTP status 418" {
		t.Error(e.Message)
	}
	if e := SayStatus(&llm.Error{Message: "said"}); e.Message != "said" {
		t.Error(e.Message)
	}
	if e := SayUnsaid(&llm.Error{}); e.Message != "the upstream reported an error without saying which" {
		t.Error(e.Message)
	}
}

func TestClipKeepsTextWhole(t *testing.T) {
	t.Parallel()
	if got := Clip("short"); got != "short" {
		t.Error(got)
	}
	if got := Clip("a" + strings.Repeat("é", MaxMessage)); len(got) > MaxMessage+len(" …") || !utf8.ValidString(got) {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}

func TestVectorsGoBothWays(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`[]`, `[1]`, `[0.1,-2,3e-09]`} {
		v, _ := rawjson.Lookup([]byte(text))
		if got := string(AppendVector(nil, ReadVector(v))); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}
