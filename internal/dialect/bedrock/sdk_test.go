package bedrock

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

// answerWith is an HTTP client to whose every request AWS answers the same.
type answerWith struct {
	kind string
	body []byte
}

func (a answerWith) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {a.kind}}, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

func sdk(a answerWith) *bedrockruntime.Client {
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", HTTPClient: a, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
}

// TestFixtures_AreWhatTheSDKReads: what was built from AWS's description, AWS's own client understands, but for
// what is there to be unknown.
func TestFixtures_AreWhatTheSDKReads(t *testing.T) {
	t.Parallel()
	whole, err := sdk(answerWith{"application/json", []byte(plainAnswer)}).Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: new(claude45)})
	if err != nil {
		t.Fatal(err)
	}
	message, ok := whole.Output.(*types.ConverseOutputMemberMessage)
	if !ok || whole.StopReason != types.StopReasonToolUse || *whole.Usage.CacheReadInputTokens != 20 || len(whole.Usage.CacheDetails) != 2 || len(message.Value.Content) < 7 {
		t.Errorf("%+v", whole)
	}
}

func TestFixtures_OfTheStreamAreWhatTheSDKReads(t *testing.T) {
	t.Parallel()
	out, err := sdk(answerWith{MediaType, frames(t, whole...)}).ConverseStream(t.Context(), &bedrockruntime.ConverseStreamInput{ModelId: new(claude45)})
	if err != nil {
		t.Fatal(err)
	}
	var seen, said strings.Builder
	for ev := range out.GetStream().Events() {
		switch ev := ev.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			seen.WriteString("(")
		case *types.ConverseStreamOutputMemberContentBlockStop:
			seen.WriteString(")")
		case *types.ConverseStreamOutputMemberMessageStop:
			seen.WriteString(string(ev.Value.StopReason))
		case *types.ConverseStreamOutputMemberMetadata:
			seen.WriteString("!")
			if *ev.Value.Usage.CacheWriteInputTokens != 10 {
				t.Errorf("%+v", ev.Value.Usage)
			}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			switch d := ev.Value.Delta.(type) {
			case *types.ContentBlockDeltaMemberText:
				said.WriteString(d.Value)
			case *types.ContentBlockDeltaMemberToolUse:
				said.WriteString(*d.Value.Input)
			case *types.ContentBlockDeltaMemberCitation:
				seen.WriteString("^")
			case *types.ContentBlockDeltaMemberReasoningContent:
				switch r := d.Value.(type) {
				case *types.ReasoningContentBlockDeltaMemberText:
					said.WriteString(r.Value)
				case *types.ReasoningContentBlockDeltaMemberSignature:
					said.WriteString(r.Value)
				case *types.ReasoningContentBlockDeltaMemberRedactedContent:
					said.Write(r.Value)
				}
			}
		}
	}
	if err := out.GetStream().Err(); err != nil {
		t.Fatal(err)
	}
	if seen.String() != "))^)()(tool_use!" || said.String() != `Hms+/=redHi "é{"x":1}` {
		t.Errorf("%s %s", seen.String(), said.String())
	}
}
