package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

var signed = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func fixed() time.Time { return signed }

// wire keeps the request that a client sends instead of sending it.
type wire struct {
	req  *http.Request
	body []byte
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.req = r
	w.body, _ = io.ReadAll(r.Body)
	return nil, io.ErrClosedPipe
}

// TestSignAWS_SignsAsTheSDKDoes compares with what AWS's own client sends of the same request.
func TestSignAWS_SignsAsTheSDKDoes(t *testing.T) {
	t.Parallel()
	for _, model := range []string{
		"anthropic.claude-sonnet-4-5-20250929-v1:0",
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc+def~x",
	} {
		for _, session := range []string{"", "FwoGZXIvYXdzE+/=="} {
			w := &wire{}
			client := bedrockruntime.New(bedrockruntime.Options{
				Region: "us-east-1", HTTPClient: w, Retryer: aws.NopRetryer{},
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: session}, nil
				}),
			})
			_, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: &model, Messages: []types.Message{{
				Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "hi"}},
			}}})
			if w.req == nil {
				t.Fatal(err)
			}
			key := "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
			if session != "" {
				key += ":" + session
			}
			at, err := time.Parse("20060102T150405Z", w.req.Header.Get("X-Amz-Date"))
			if err != nil {
				t.Fatal(err)
			}
			sign, err := SignAWS(key, "", func() time.Time { return at })
			if err != nil {
				t.Fatal(err)
			}
			ours := unsigned(w)
			if err := sign(ours, w.body); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"Authorization", "X-Amz-Security-Token"} {
				if got, want := ours.Header.Get(name), w.req.Header.Get(name); got != want {
					t.Errorf("%s %s\n got %s\nwant %s", model, name, got, want)
				}
			}
		}
	}
}

// unsigned is the request that was kept, as this package would have made it: its address from the escaped path.
func unsigned(w *wire) *http.Request {
	base := &url.URL{Scheme: "https", Host: w.req.URL.Host}
	u := at(base, w.req.URL.EscapedPath())
	out := &http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: w.req.Header.Clone(), ContentLength: int64(len(w.body))}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		out.Header.Del(name)
	}
	return out
}

func TestSignAWS_PrefersTheConfiguredRegion(t *testing.T) {
	t.Parallel()
	sign, err := SignAWS("AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-west-2", fixed)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest(http.MethodPost, "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse", bytes.NewReader(nil))
	if err := sign(r, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-west-2/bedrock/aws4_request, SignedHeaders="; !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}
}

func TestSignAWS_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "bedrock-api-key-abc", ":", "a:", ":b"} {
		if _, err := SignAWS(key, "", fixed); err == nil || strings.Contains(err.Error(), "abc") {
			t.Errorf("%q: %v", key, err)
		}
	}
	sign, _ := SignAWS("a:b", "", fixed)
	r, _ := http.NewRequest(http.MethodPost, "https://proxy.example.com/model/x/converse", nil)
	if err := sign(r, nil); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("%v", err)
	}
}

func TestRegionOfAWS(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"bedrock-runtime.us-east-1.amazonaws.com":                        "us-east-1",
		"bedrock-runtime-fips.us-gov-west-1.amazonaws.com":               "us-gov-west-1",
		"bedrock-runtime.cn-north-1.amazonaws.com.cn":                    "cn-north-1",
		"bedrock-runtime.eu-west-1.api.aws":                              "eu-west-1",
		"vpce-0a1-b2c.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com": "ap-southeast-2",
		"example.com": "", "localhost": "", "bedrock.example.com": "", "": "",
	} {
		if got := RegionOfAWS(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func TestAt_KeepsAnEscapedPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, path, want string }{
		{"https://h/v1", "/chat", "https://h/v1/chat"},
		{"https://h", "/model/a%3A0%2Fb/converse", "https://h/model/a%3A0%2Fb/converse"},
		{"https://h/a%2Fb", "/model/x%3A0/converse", "https://h/a%2Fb/model/x%3A0/converse"},
		{"https://h/a%2Fb?k=v", "/x?alt=sse", "https://h/a%2Fb/x?k=v&alt=sse"},
		{"https://h", "/100%", "https://h/100%25"},
	} {
		base, err := url.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		if got := at(base, c.path).String(); got != c.want {
			t.Errorf("%s + %s: %s, want %s", c.base, c.path, got, c.want)
		}
	}
}

// TestCall_OfBedrock: a client of OpenAI's dialect, a target at AWS, signed, over a real connection.
func TestCall_OfBedrock(t *testing.T) {
	t.Parallel()
	var frames bytes.Buffer
	for _, event := range [][2]string{
		{"messageStart", `{"role":"assistant"}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hi"}}`}, {"contentBlockStop", `{"contentBlockIndex":0}`},
		{"messageStop", `{"stopReason":"end_turn"}`}, {"metadata", `{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}`},
	} {
		m := eventstream.Message{Payload: []byte(event[1])}
		m.Headers.Set(":event-type", eventstream.StringValue(event[0]))
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		if err := eventstream.NewEncoder().Encode(&frames, m); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse-stream"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != path || r.Header.Get("Accept") != "application/vnd.amazon.eventstream" || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/bedrock/aws4_request, SignedHeaders=accept;content-length;content-type;host;x-amz-date,") {
			t.Errorf("%s %v", r.RequestURI, r.Header)
		}
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		w.Header().Set("x-amzn-RequestId", "aws-1")
		_, _ = w.Write(frames.Bytes())
	}))
	defer server.Close()
	transport := NewTransport(5 * time.Second)
	defer transport.CloseIdleConnections()
	target := over("aws", transport)
	codec, _ := dialect.ByName("bedrock")
	base, _ := url.Parse(server.URL)
	target.Speaks = []Spoken{{Codec: codec, Base: base}}
	target.Options = llm.Options{Model: "arn:aws:bedrock:us-east-1:1:inference-profile/x"}
	target.Endpoint.Sign, _ = SignAWS("a:b", "eu-west-1", fixed)
	call := newCall(request(t, llm.Chat, streamBody), target)
	got := listen(t.Context(), call)
	if got.err != nil || !strings.Contains(got.raw, `"content":"Hi"`) || !strings.HasSuffix(got.raw, "data: [DONE]\n\n") {
		t.Fatalf("%v %s", got.err, got.raw)
	}
	row := call.Attempts[0]
	if row.RequestID != "aws-1" || row.Bill.Usage.Total() != 5 || row.Bill.Cost.State != money.Known {
		t.Errorf("%+v", row)
	}
}
