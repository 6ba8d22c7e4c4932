package sdktests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/fairlead/fairlead/internal/testkit/openaifake"
)

// streamer is one SDK reading one stream: the text that came, whether the SDK saw the answer's end, and its error.
type streamer func(t *testing.T, model string) (text string, ended bool, err error)

// streamers are an SDK for each surface.
func streamers(t *testing.T, s *stack) map[string]streamer {
	t.Helper()
	g := newGoSuite(s)
	claude, gemini := newClaudeSuite(s), newGeminiSuite(t, s)
	return map[string]streamer{
		"chat": func(t *testing.T, model string) (string, bool, error) {
			acc, _, err := g.follow(t.Context(), say(model, "hi"))
			if len(acc.Choices) == 0 {
				return "", false, err
			}
			return acc.Choices[0].Message.Content, acc.Choices[0].FinishReason != "", err
		},
		"responses": func(t *testing.T, model string) (string, bool, error) {
			final, text, err := responsesSuite{g}.followed(t, input(model, "hi"))
			return text, final != nil, err
		},
		"anthropic": func(t *testing.T, model string) (string, bool, error) {
			message, err := claude.follow(t, tell(model, "hi"))
			if len(message.Content) == 0 {
				return "", message.StopReason != "", err
			}
			return message.Content[0].Text, message.StopReason != "", err
		},
		"genai": func(t *testing.T, model string) (string, bool, error) {
			h, err := gemini.ask(t, true, model, genai.Text("hi"), nil)
			return h.text, h.finish != "", err
		},
	}
}

// cutAnywhere takes a prime step through the streams of targets of three dialects, so that cuts fall at all places of an
// event: no SDK may take part of an answer for the whole.
func cutAnywhere(t *testing.T, s *stack) {
	for surface, follow := range streamers(t, s) {
		for model, size := range map[string]int{"cut": 6000, "claude-cut": 4000, "gemini-cut": 4600} {
			broken, whole := 0, 0
			for at := 0; at < size; at += 89 {
				response, err := http.Post(s.fakeURL+"/_fake/next", "text/plain", strings.NewReader(fmt.Sprint("cut=", at)))
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				text, ended, err := follow(t, model)
				switch complete := text == openaifake.Sentence && ended; {
				case !strings.HasPrefix(openaifake.Sentence, text): //nolint:gocritic // the part that came is a prefix of the whole
					t.Errorf("%s, %s cut at %d: text %q", surface, model, at, text)
				case (ended || err == nil) && !complete:
					t.Errorf("%s, %s cut at %d: error %v, ended %t, text %q", surface, model, at, err, ended, text)
				case err != nil:
					broken++
				default:
					whole++
				}
			}
			if broken < 20 || whole == 0 {
				t.Errorf("%s, %s: %d broken and %d whole: the cuts do not fall into the stream", surface, model, broken, whole)
			}
		}
	}
}
