package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
)

// TestStream_WhoseCleanEndIsItsOnlyStop: a Triton server says nothing when an answer is
// over. Its body's own end tells, which a connection that breaks does not have.
func TestStream_WhoseCleanEndIsItsOnlyStop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pieces string
		broken bool
		kind   llm.Kind // "" for none
		seen   string   // at the end
	}{
		"the end of the body":   {"data: {\"text_output\":\"a\"}\n\n", false, "", "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},
		"a broken connection":   {"data: {\"text_output\":\"a\"}\n\n", true, llm.Cut, "\"finish_reason\":null}]}\n\n"},
		"the end in an event":   {"data: {\"text_output\":\"a\"}\n\ndata: {\"te", false, llm.Cut, "\"finish_reason\":null}]}\n\n"},
		"the end before a word": {": hm\n\n", false, llm.Cut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
				_, _ = io.WriteString(w, tc.pieces)
				_ = http.NewResponseController(w).Flush()
				if tc.broken {
					panic(http.ErrAbortHandler)
				}
			}))
			t.Cleanup(server.Close)
			transport := NewTransport(5 * time.Second)
			t.Cleanup(transport.CloseIdleConnections)
			target := over("triton", transport)
			codec, _ := dialect.ByName("triton")
			base, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			target.Speaks = []Spoken{{Codec: codec, Base: base}}
			got := listen(t.Context(), newCall(request(t, llm.Completions, `{"model":"fake","prompt":"a","stream":true}`), target))
			if !strings.HasSuffix(got.raw, tc.seen) || (got.err == nil) != (tc.kind == "") {
				t.Fatalf("%v\n%s", got.err, got.raw)
			}
			if got.err != nil && (got.err.Kind != tc.kind || strings.Contains(got.raw, "[DONE]")) {
				t.Errorf("%v\n%s", got.err, got.raw)
			}
		})
	}
}
