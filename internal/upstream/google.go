package upstream

import (
	"bytes"
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
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/llm"
)

// googleScope is what a token of Google's is asked for: Vertex AI knows no narrower one.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

const (
	assertionLife = time.Hour        // the longest that Google takes
	tokenSlack    = 2 * time.Minute  // a token is renewed so long before it ends
	tokenTime     = 10 * time.Second // for one exchange of a key for a token
	maxTokenBody  = 64 << 10
)

// GoogleTokens gives OAuth access tokens for a Google service account: it signs an
// assertion with the account's key and exchanges it for a token (RFC 7523, as
// https://developers.google.com/identity/protocols/oauth2/service-account describes
// it), which it keeps until shortly before it expires. Of several callers that need a
// new one only one asks for it.
type GoogleTokens struct {
	account string
	keyID   string
	key     *rsa.PrivateKey
	tokens  string // the address of the exchange
	client  http.RoundTripper
	now     func() time.Time
	flight  singleflight.Group

	mu     sync.Mutex // over what follows
	token  string
	expiry time.Time
}

// serviceAccount is the part that counts of a key file from Google's console.
type serviceAccount struct {
	Type       string `json:"type"`
	Email      string `json:"client_email"`
	KeyID      string `json:"private_key_id"`
	PrivateKey string `json:"private_key"`
	TokenURI   string `json:"token_uri"`
}

// NewGoogleTokens reads a service account's key, the JSON file as Google's console
// gives it. No error repeats any of it. Calls go through the transport.
func NewGoogleTokens(keyFile []byte, transport http.RoundTripper) (*GoogleTokens, error) {
	var a serviceAccount
	if json.Unmarshal(keyFile, &a) != nil {
		return nil, errors.New("the Google key is not JSON; give the service account's key file, as made by: gcloud iam service-accounts keys create")
	}
	switch {
	case a.Type != "service_account":
		return nil, fmt.Errorf("the Google key has the type %.40q; the key file of a service account has service_account", a.Type)
	case a.Email == "" || a.PrivateKey == "" || a.TokenURI == "":
		return nil, errors.New("the Google key lacks client_email, private_key or token_uri; give the key file as it was downloaded")
	}
	if u, err := url.Parse(a.TokenURI); err != nil || u.Scheme != "https" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
		return nil, errors.New("the Google key's token_uri must be an https address")
	}
	key, err := rsaKey(a.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &GoogleTokens{account: a.Email, keyID: a.KeyID, key: key, tokens: a.TokenURI, client: transport, now: time.Now}, nil
}

// rsaKey reads a key in PEM, PKCS #8 or the older PKCS #1.
func rsaKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the Google key's private_key is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("the Google key's private_key is no RSA key in PKCS #8")
	}
	return key, nil
}

// Sign puts a token on a request, as Endpoint.Sign. The error is an *llm.Error.
func (g *GoogleTokens) Sign(r *http.Request, _ []byte) error {
	token, err := g.Token(r.Context())
	if err != nil {
		return err
	}
	r.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

// Token gives a token that is good for a while yet. A caller that leaves does not take
// the exchange with it that others wait for.
func (g *GoogleTokens) Token(ctx context.Context) (string, error) {
	if token := g.kept(); token != "" {
		return token, nil
	}
	result := g.flight.DoChan("", func() (any, error) {
		if token := g.kept(); token != "" {
			return token, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTime)
		defer cancel()
		return g.exchange(ctx)
	})
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-result:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil //nolint:forcetypeassert // as exchange and kept give it
	}
}

func (g *GoogleTokens) kept() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now().Before(g.expiry) {
		return g.token
	}
	return ""
}

// exchange gets a new token.
func (g *GoogleTokens) exchange(ctx context.Context) (string, error) {
	begun := g.now()
	assertion, err := g.assertion(begun)
	if err != nil {
		return "", noToken("the assertion could not be signed", err)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.tokens, strings.NewReader(form))
	if err != nil {
		return "", noToken("token_uri is no address", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := g.client.RoundTrip(r)
	if err != nil {
		return "", noToken("its token endpoint could not be reached", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxTokenBody))
	if err != nil {
		return "", noToken("its token endpoint broke off", err)
	}
	token, life, err := readToken(res.StatusCode, body)
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token, g.expiry = token, begun.Add(life-min(tokenSlack, life/2))
	return token, nil
}

// readToken reads what the token endpoint said (RFC 6749, 5.1 and 5.2).
func readToken(status int, body []byte) (token string, life time.Duration, err error) {
	var out struct {
		Token       string `json:"access_token"`
		Seconds     int64  `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	bad := json.Unmarshal(body, &out)
	switch {
	case status == http.StatusOK && bad == nil && out.Token != "" && !strings.ContainsAny(out.Token, "\r\n"):
		life = time.Duration(max(0, min(out.Seconds, 24*60*60))) * time.Second
		return out.Token, life, nil
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		return "", 0, noToken("its token endpoint is overloaded or down", fmt.Errorf("HTTP status %d", status))
	}
	e := &llm.Error{Kind: llm.Unauthorized, Message: "Google gave no token for this target's service account", Status: status,
		Err: fmt.Errorf("HTTP status %d: %.100s: %.300s", status, out.Error, out.Description)}
	return "", 0, e
}

func noToken(why string, err error) *llm.Error {
	return &llm.Error{Kind: llm.Upstream, Message: "Google gave no token for this target's service account: " + why, Err: err}
}

// assertion is a JWT (RFC 7519) that the account signs with RS256.
func (g *GoogleTokens) assertion(now time.Time) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": g.keyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": g.account, "scope": googleScope, "aud": g.tokens, "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	out.WriteString(base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(claims))
	digest := sha256.Sum256(out.Bytes())
	signature, err := rsa.SignPKCS1v15(rand.Reader, g.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	out.WriteString("." + base64.RawURLEncoding.EncodeToString(signature))
	return out.String(), nil
}
