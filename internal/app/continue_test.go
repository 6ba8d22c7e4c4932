package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// account is an upstream that speaks Responses and keeps its conversations to itself.
type account struct {
	*httptest.Server
	mu    sync.Mutex
	down  bool
	asked []string
}

func newAccount(t *testing.T, name string) *account {
	t.Helper()
	a := &account{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asked = append(a.asked, string(body))
		if a.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"resp_%s_%d","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed",`+
			`"content":[{"type":"output_text","text":"%s","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":1,"total_tokens":4}}`, name, len(a.asked), name)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *account) set(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

// A conversation that an account keeps goes on at that account, whatever the plan's
// order, and is refused where that account is not in the plan.
func TestContinue_GoesBackToTheAccountThatAnswered(t *testing.T) {
	t.Parallel()
	first, second := newAccount(t, "first"), newAccount(t, "second")
	g := start(t, testkit.NewUpstream(t), fmt.Sprintf(`
targets:
  first: { provider: openai, base_url: "%s/v1", headers: { authorization: "Bearer x" }, model: m, retry: { attempts: 1 } }
  second: { provider: openai, base_url: "%s/v1", headers: { authorization: "Bearer x" }, model: m, retry: { attempts: 1 } }
models:
  both: { plan: [first, second] }
`, first.URL, second.URL))
	ask := func(model, previous string) reply {
		t.Helper()
		return g.do(t, "POST", "/v1/responses", fmt.Sprintf(`{"model":%q,"input":"hi","previous_response_id":%s}`, model, previous))
	}
	first.set(true)
	got := ask("both", "null")
	if got.status != http.StatusOK || !strings.Contains(got.body, `"id":"resp_second_1"`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	first.set(false)
	got = ask("both", `"resp_second_1"`)
	if got.status != http.StatusOK || got.header.Get("X-Fairlead-Target") != "second" {
		t.Errorf("%d by %s: %s", got.status, got.header.Get("X-Fairlead-Target"), got.body)
	}
	got = ask("first", `"resp_second_1"`)
	if got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.body)
	}
	mustHold(t, got.body, []string{"second did"}, nil)
	if got = ask("both", `"resp_of_another_time"`); got.header.Get("X-Fairlead-Target") != "first" {
		t.Errorf("an unknown conversation goes to %s", got.header.Get("X-Fairlead-Target"))
	}
}
