package upstream

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
)

// googleRig is a token endpoint that checks who asks.
type googleRig struct {
	*httptest.Server
	key   *rsa.PrivateKey
	asked atomic.Int64
	// answer says what is answered to a good assertion.
	answer func(w http.ResponseWriter, n int64)
}

func newGoogleRig(t *testing.T) *googleRig {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g := &googleRig{key: key, answer: func(w http.ResponseWriter, n int64) {
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3599,"token_type":"Bearer"}`, n)
	}}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *googleRig) serve(w http.ResponseWriter, r *http.Request) {
	n := g.asked.Add(1)
	if err := g.verify(r); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	g.answer(w, n)
}

// verify checks the assertion as Google does.
func (g *googleRig) verify(r *http.Request) error {
	if grant := r.PostFormValue("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return fmt.Errorf("grant %q", grant)
	}
	parts := strings.Split(r.PostFormValue("assertion"), ".")
	if len(parts) != 3 {
		return errors.New("no JWT")
	}
	var raw [3][]byte
	for i := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(parts[i]); err != nil {
			return err
		}
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, digest[:], raw[2]); err != nil {
		return err
	}
	var head struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	if err := errors.Join(json.Unmarshal(raw[0], &head), json.Unmarshal(raw[1], &claims)); err != nil {
		return err
	}
	if head.Alg != "RS256" || head.Typ != "JWT" || head.Kid != "k1" || claims.Iss != "a@p.example" || claims.Scope != googleScope ||
		claims.Aud != g.URL || claims.Exp-claims.Iat != 3600 {
		return fmt.Errorf("%+v %+v", head, claims)
	}
	return nil
}

// keyFile is what Google's console would give for download.
func (g *googleRig) keyFile(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(g.key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@p.example", "private_key_id": "k1", "token_uri": g.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func (g *googleRig) tokens(t *testing.T) *GoogleTokens {
	t.Helper()
	tokens, err := NewGoogleTokens(g.keyFile(t), http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestGoogleTokens_SignsRequestsAndKeepsTheToken(t *testing.T) {
	t.Parallel()
	g := newGoogleRig(t)
	tokens := g.tokens(t)
	now := time.Unix(1700000000, 0)
	tokens.now = func() time.Time { return now }
	for _, step := range []struct {
		pass time.Duration
		want string
	}{
		{0, "token-1"}, {50 * time.Minute, "token-1"}, {7*time.Minute + 58*time.Second, "token-1"}, {2 * time.Second, "token-2"}, {time.Minute, "token-2"},
	} {
		now = now.Add(step.pass)
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if err := tokens.Sign(r, nil); err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer "+step.want {
			t.Errorf("%q, want %s", got, step.want)
		}
	}
}

func TestGoogleTokens_AsksOnceForMany(t *testing.T) {
	t.Parallel()
	g := newGoogleRig(t)
	tokens := g.tokens(t)
	gone, leave := context.WithCancel(t.Context())
	arrived, release := make(chan struct{}), make(chan struct{})
	answer := g.answer
	g.answer = func(w http.ResponseWriter, n int64) {
		close(arrived)
		<-release
		answer(w, n)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // the first to ask leaves, and takes nothing with it
		if _, err := tokens.Token(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	<-arrived
	for range 8 {
		wg.Go(func() {
			if token, err := tokens.Token(t.Context()); err != nil || token != "token-1" {
				t.Errorf("%q, %v", token, err)
			}
		})
	}
	leave()
	close(release)
	wg.Wait()
	if n := g.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestGoogleTokens_SaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, int64)
		kind   llm.Kind
	}{
		"a refusal":   {func(w http.ResponseWriter, _ int64) { w.WriteHeader(401); fmt.Fprint(w, `{"error":"invalid_client"}`) }, llm.Unauthorized},
		"a page":      {func(w http.ResponseWriter, _ int64) { fmt.Fprint(w, `<html>`) }, llm.Unauthorized},
		"no token":    {func(w http.ResponseWriter, _ int64) { fmt.Fprint(w, `{}`) }, llm.Unauthorized},
		"a bad token": {func(w http.ResponseWriter, _ int64) { fmt.Fprint(w, `{"access_token":"a\nb","expires_in":1}`) }, llm.Unauthorized},
		"trouble":     {func(w http.ResponseWriter, _ int64) { w.WriteHeader(503) }, llm.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGoogleRig(t)
			g.answer = tc.answer
			tokens := g.tokens(t)
			for range 2 { // a failure is not kept
				_, err := tokens.Token(t.Context())
				if e := llm.AsError(err); e.Kind != tc.kind || strings.Contains(err.Error(), "PRIVATE") {
					t.Errorf("%v", err)
				}
			}
			if g.asked.Load() != 2 {
				t.Errorf("asked %d times", g.asked.Load())
			}
		})
	}
	stranger := newGoogleRig(t)
	tokens := stranger.tokens(t)
	stranger.key, _ = rsa.GenerateKey(rand.Reader, 2048)
	if _, err := tokens.Token(t.Context()); llm.AsError(err).Kind != llm.Unauthorized {
		t.Errorf("%v", err)
	}
}

func TestNewGoogleTokens_RefusesWhatIsNoKey(t *testing.T) {
	t.Parallel()
	good := string(newGoogleRig(t).keyFile(t))
	for _, file := range []string{
		``, `AIza-secret`, `{}`, `{"type":"authorized_user","client_secret":"secret"}`,
		`{"type":"service_account","client_email":"a","private_key":"secret","token_uri":"https://x.example"}`,
		`{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n","token_uri":"https://x.example"}`,
		strings.Replace(good, `"token_uri":"http://127.0.0.1`, `"token_uri":"http://x.example`, 1),
	} {
		if _, err := NewGoogleTokens([]byte(file), nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.80s: %v", file, err)
		}
	}
}

func TestAt_KeepsWhatIsEscaped(t *testing.T) {
	t.Parallel()
	base := &url.URL{Scheme: "https", Host: "x.example", Path: "/v1", RawQuery: "a=b"}
	for path, want := range map[string]string{
		"/models/m:generateContent":        "https://x.example/v1/models/m:generateContent?a=b",
		"/models/m%20a%2Fb:stream?alt=sse": "https://x.example/v1/models/m%20a%2Fb:stream?a=b&alt=sse",
		"/models/%2E%2E/%3F":               "https://x.example/v1/models/%2E%2E/%3F?a=b",
	} {
		if got := at(base, path).String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
