package app

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/ledger"
	"github.com/fairlead/fairlead/internal/testkit"
)

// begin opens a stream and reads its first line.
func (g *gateway) begin(t testing.TB, body string) (*http.Response, *bufio.Reader) {
	t.Helper()
	res, err := g.open(t.Context(), "POST", chatPath, body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() }) // it was read, or broke
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Fatalf("%d, first line %q, %v", res.StatusCode, line, err)
	}
	return res, lines
}

// record reads an exchange from a data folder whose server has stopped.
func record(t testing.TB, g *gateway, id string) *exchange.Exchange {
	t.Helper()
	db, err := OpenRecords(t.Context(), g.current().Data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	x, err := db.Get(t.Context(), id, ledger.All())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestStop_LetsStreamsEnd(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets)
	res, lines := g.begin(t, asking("one", streamed, behaving("hold-event=3")))
	live, err := g.open(t.Context(), "GET", "/api/live", "", "Authorization", "Bearer "+adminKey)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Body.Close()
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	if _, err := io.ReadAll(live.Body); err != nil { // live views end when draining begins
		t.Errorf("the live view broke: %v", err)
	}
	for { // no connection is taken from here on, or a moment later
		res, err := g.open(t.Context(), "GET", "/healthz", "")
		if err != nil {
			break
		}
		_ = res.Body.Close()
	}
	up.Release()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.HasSuffix(string(rest), "[DONE]\n\n") {
		t.Errorf("%v: %s", err, rest)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
	if x := record(t, g, res.Header.Get("X-Fairlead-Id")); x.Result.Status != exchange.OK {
		t.Errorf("recorded %+v", x)
	}
}

func TestStop_CutsWhatOutlastsTheDrain(t *testing.T) {
	t.Parallel()
	up := testkit.NewUpstream(t)
	g := start(t, up, twoTargets+"limits: { drain: 50ms }\n")
	res, lines := g.begin(t, asking("one", streamed, behaving("hold-event=3")))
	waiting := make(chan reply, 1)
	go func() { waiting <- g.chat(t, asking("both", behaving("hold"))) }()
	up.WaitRequests(t, 2)
	if err := g.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Errorf("the stream broke instead of ending with an error: %v", err)
	}
	mustHold(t, string(rest), []string{`data: {"error":{"message":"the server is stopping`, `"code":"server_stopping"`}, []string{"[DONE]"})
	got := <-waiting
	if got.status != 503 || text(failure(t, got.body).Error.Code) != "server_stopping" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if x := record(t, g, res.Header.Get("X-Fairlead-Id")); x.Result.Status != exchange.Cut || x.Attempts[0].Kind != "overloaded" {
		t.Errorf("recorded %+v", x)
	}
	if x := record(t, g, got.header.Get("X-Fairlead-Id")); x.Result.Status != exchange.Failed || x.Result.HTTPStatus != 503 || len(x.Attempts) != 1 {
		t.Errorf("recorded %+v", x)
	}
}

func TestStop_RemovesTheControlFile(t *testing.T) {
	t.Parallel()
	g := start(t, testkit.NewUpstream(t), twoTargets)
	data := g.current().Data
	control, err := ReadControl(data)
	if err != nil || control.URL != g.url {
		t.Fatalf("%+v, %v", control, err)
	}
	if got := g.do(t, "GET", "/api/version", "", "Authorization", "Bearer "+control.Token); got.status != 200 {
		t.Errorf("the command line's token: %d %s", got.status, got.body)
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if _, err := ReadControl(data); err == nil {
		t.Error("the control file is still there")
	}
}
