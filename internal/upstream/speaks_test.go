package upstream

import (
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
)

// A server of an older version does not know the client's dialect: the call is made
// in the one that it does know, and is from then on.
func TestWalk_ADialectThatIsNotThereIsForgotten(t *testing.T) {
	t.Parallel()
	var paths []string
	target := over("old", roundTrip(func(r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.Path)
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		if r.URL.Path == "/new/chat/completions" {
			return jsonAnswer(r, 404, `{"detail":"Not Found"}`), nil
		}
		return jsonAnswer(r, 200, `{"id":"p","status":"succeeded","output":["Hi"]}`), nil
	}))
	codec, _ := dialect.ByName("replicate")
	target.Options.Model = "a/b"
	target.Speaks = []Spoken{
		{Codec: codec, Base: &url.URL{Scheme: "http", Host: "old.invalid", Path: "/v1"}},
		{Codec: target.Speaks[0].Codec, Base: &url.URL{Scheme: "http", Host: "old.invalid", Path: "/new"}},
	}
	target.Unspoken = new(atomic.Uint32)
	for range 2 {
		call := newCall(request(t, llm.Chat, plainBody), target)
		if got := listen(t.Context(), call); got.err != nil {
			t.Fatal(got.err)
		}
	}
	if len(paths) != 3 || paths[0] != "/new/chat/completions" || paths[2] != "/v1/models/a/b/predictions" {
		t.Errorf("%v", paths)
	}
}

// What a request needs decides, too: a client's own dialect is no use where the server
// takes a field in it and does not heed it.
func TestWalk_ADialectThatLacksWhatIsNeededIsNotSpoken(t *testing.T) {
	t.Parallel()
	var paths []string
	target := over("gaps", roundTrip(func(r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.Path)
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return jsonAnswer(r, 200, `{"id":"p","status":"succeeded","output":["Hi"]}`), nil
	}))
	codec, _ := dialect.ByName("replicate")
	target.Options.Model = "a/b"
	target.Speaks = []Spoken{
		{Codec: codec, Base: &url.URL{Scheme: "http", Host: "gaps.invalid", Path: "/v1"}},
		{Codec: target.Speaks[0].Codec, Base: &url.URL{Scheme: "http", Host: "gaps.invalid", Path: "/own"}, Lacks: llm.CanSchema},
	}
	for body, want := range map[string]string{
		plainBody: "/own/chat/completions",
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}}`: "/v1/models/a/b/predictions",
	} {
		paths = nil
		listen(t.Context(), newCall(request(t, llm.Chat, body), target))
		if len(paths) == 0 || paths[0] != want {
			t.Errorf("%v, want %s: %s", paths, want, body)
		}
	}
}
