package openaierr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestDecode_TakesAnyBody(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   llm.Error
	}{
		"empty":          {503, "", llm.Error{Kind: llm.Overloaded, Message: "the upstream answered with HTTP status 503"}},
		"html":           {500, "<html>", llm.Error{Kind: llm.Upstream, Message: "the upstream answered with HTTP status 500"}},
		"the usual":      {400, `{"error":{"message":"m","param":"p","code":"c"}}`, llm.Error{Kind: llm.Invalid, Message: "m", Param: "p", Code: "c"}},
		"a string":       {404, `{"error":"gone"}`, llm.Error{Kind: llm.NotFound, Message: "gone"}},
		"no envelope":    {422, `{"message":"m"}`, llm.Error{Kind: llm.Invalid, Message: "m"}},
		"too long":       {400, `{"error":{"message":"m","code":"context_length_exceeded"}}`, llm.Error{Kind: llm.TooLong, Message: "m"}},
		"code is number": {429, `{"error":{"message":"m","code":7}}`, llm.Error{Kind: llm.RateLimited, Message: "m", Code: "7"}},
	} {
		tc.want.Status = tc.status
		if diff := cmp.Diff(&tc.want, Decode(tc.status, []byte(tc.body))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecodeWithin_ReadsTheCode(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]llm.Kind{
		`{"error":{"code":"rate_limit_exceeded"}}`: llm.RateLimited,
		`{"code":"server_is_overloaded"}`:          llm.Overloaded,
		`{"error":{"code":503}}`:                   llm.Overloaded,
		`null`:                                     llm.Upstream,
	} {
		if got := DecodeWithin([]byte(body)); got.Kind != want || got.Message == "" {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func TestAppend_KeepsToThePublishersDescription(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	for kind := range errorTypes {
		body := Append(nil, &llm.Error{Kind: kind, Message: strings.Repeat("\"\n", 3)})
		if err := spec.ValidateError(body); err != nil {
			t.Errorf("%s: %s: %v", kind, body, err)
		}
	}
}
