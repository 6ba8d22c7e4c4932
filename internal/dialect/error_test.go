package dialect_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/dialect/dialecttest"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// wireErrors are errors before any output: what an upstream answers, and what it may
// be taken for where its dialect has no word for the kind.
var wireErrors = []struct {
	kind   llm.Kind
	status int
	or     llm.Kind
}{
	{llm.Invalid, 400, ""},
	{llm.Unauthorized, 401, ""},
	{llm.Forbidden, 403, ""},
	{llm.NotFound, 404, ""},
	{llm.TooLong, 400, llm.Invalid},
	{llm.TooLarge, 413, ""},
	{llm.RateLimited, 429, ""},
	{llm.Overloaded, 503, ""},
	{llm.Timeout, 504, ""},
	{llm.Upstream, 502, llm.Overloaded},
}

func TestConformance_ErrorsBeforeOutputKeepTheirKind(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, client, target *dialect.Codec) {
		t.Helper()
		call := newCall(t, client, target)
		for _, row := range wireErrors {
			body := []byte(`{"message":"Seven is too much"}`) // Amazon's, whose type is a header
			if target.AppendError != nil {
				body = target.AppendError(nil, &llm.Error{Kind: row.kind, Message: "Seven is too much"})
			}
			e := call.Bridge.DecodeError(row.status, body)
			if e.Kind != row.kind && (row.or == "" || e.Kind != row.or) {
				t.Errorf("%s with status %d is read as %s: %s", row.kind, row.status, e.Kind, body)
			}
			shown := client.AppendError(nil, e)
			if _, err := rawjson.Check(shown, rawjson.Limits{}); err != nil || !strings.Contains(string(shown), "Seven is too much") {
				t.Errorf("%s: the client is shown %s (%v)", row.kind, shown, err)
			}
		}
	})
}

func TestConformance_AnyErrorBodyWillDo(t *testing.T) {
	t.Parallel()
	for _, target := range dialecttest.Targets() {
		for _, body := range []string{"", "<html><h1>502</h1></html>", "null", "[]", `{"error":null}`, `{"error":[]}`, `{"error":{"message":7}}`, "{", "\xff\xfe", strings.Repeat("x", 1<<20)} {
			e := target.DecodeError(502, []byte(body))
			if e == nil || e.Kind != llm.Upstream || e.Message == "" || len(e.Message) > 4096 {
				t.Errorf("%s reads %.40q as %+v", target.Name, body, e)
			}
		}
	}
}
