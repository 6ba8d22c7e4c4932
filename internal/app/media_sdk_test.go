package app

import (
	"errors"
	"io"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/fairlead/fairlead/internal/testkit"
)

// drain reads a stream of the SDK to its end and gives its last event.
func drain[T any](t *testing.T, stream *ssestream.Stream[T]) (last T, n int) {
	t.Helper()
	for stream.Next() {
		last = stream.Current()
		n++
	}
	if err := stream.Err(); err != nil {
		t.Error(err)
	}
	return last, n
}

// wanted is an error where there is one, or where an answer is not the one that is wanted.
func wanted(err error, ok bool) error {
	if err == nil && !ok {
		return errors.New("not the answer that the upstream gave")
	}
	return err
}

// The official SDK calls each endpoint through a whole gateway.
func TestMedia_OpenAIsSDK(t *testing.T) {
	t.Parallel()
	m := newMedia(t)
	g := start(t, nil, m.targets())
	client := sdk.NewClient(option.WithBaseURL(g.url+"/v1"), option.WithAPIKey(appKey), option.WithMaxRetries(0), option.WithHTTPClient(g.client))
	ctx := t.Context()
	mp3 := func() io.Reader { return sdk.File(strings.NewReader(sound), "speech.mp3", "audio/mpeg") }
	png := func() io.Reader { return sdk.File(strings.NewReader("\x89PNG"), "a.png", "image/png") }
	for name, call := range map[string]func(t *testing.T) error{
		"moderations": func(*testing.T) error {
			got, err := client.Moderations.New(ctx, sdk.ModerationNewParams{Model: "honest", Input: sdk.ModerationNewParamsInputUnion{OfString: param.NewOpt("a")}})
			return wanted(err, err == nil && got.Results[0].Flagged && got.Results[0].Categories.Harassment)
		},
		"speech": func(*testing.T) error {
			res, err := client.Audio.Speech.New(ctx, sdk.AudioSpeechNewParams{Model: "honest", Input: "Ahoy", Voice: sdk.AudioSpeechNewParamsVoiceUnion{OfString: param.NewOpt("alloy")}})
			if err != nil {
				return wanted(err, false)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			return wanted(err, string(body) == sound)
		},
		"speech, cut": func(*testing.T) error {
			res, err := client.Audio.Speech.New(ctx, sdk.AudioSpeechNewParams{Model: "cut", Input: "Ahoy", Voice: sdk.AudioSpeechNewParamsVoiceUnion{OfString: param.NewOpt("alloy")}})
			if err != nil {
				return wanted(err, false)
			}
			defer res.Body.Close()
			_, err = io.ReadAll(res.Body)
			return wanted(nil, err != nil)
		},
		"transcription": func(*testing.T) error {
			got, err := client.Audio.Transcriptions.New(ctx, sdk.AudioTranscriptionNewParams{Model: "honest", File: mp3(), Include: []sdk.TranscriptionInclude{"logprobs"}})
			return wanted(err, err == nil && got.Text == "Ahoy there" && got.Usage.InputTokenDetails.AudioTokens == 4)
		},
		"transcription, events": func(t *testing.T) error {
			t.Helper()
			last, n := drain(t, client.Audio.Transcriptions.NewStreaming(ctx, sdk.AudioTranscriptionNewParams{Model: "honest", File: mp3()}))
			return wanted(nil, n == 3 && last.Text == "Ahoy there")
		},
		"translation": func(*testing.T) error {
			got, err := client.Audio.Translations.New(ctx, sdk.AudioTranslationNewParams{Model: "honest", File: mp3()}) //nolint:staticcheck // deprecated, and still served
			return wanted(err, err == nil && got.Text == "Hello there")
		},
		"images": func(*testing.T) error {
			got, err := client.Images.Generate(ctx, sdk.ImageGenerateParams{Model: "honest", Prompt: "a ship"})
			return wanted(err, err == nil && got.Data[0].B64JSON == "aGk=" && got.Usage.OutputTokens == 50)
		},
		"images, events": func(t *testing.T) error {
			t.Helper()
			last, n := drain(t, client.Images.GenerateStreaming(ctx, sdk.ImageGenerateParams{Model: "honest", Prompt: "a ship", PartialImages: param.NewOpt[int64](1)}))
			return wanted(nil, n == 2 && last.Type == "image_generation.completed" && last.B64JSON == "aGk=")
		},
		"an edit": func(*testing.T) error {
			got, err := client.Images.Edit(ctx, sdk.ImageEditParams{Model: "honest", Prompt: "a sail", Image: sdk.ImageEditParamsImageUnion{OfFileArray: []io.Reader{png(), png()}}})
			return wanted(err, err == nil && len(got.Data) == 1)
		},
		"an edit, events": func(t *testing.T) error {
			t.Helper()
			last, n := drain(t, client.Images.EditStreaming(ctx, sdk.ImageEditParams{Model: "honest", Prompt: "a sail", Image: sdk.ImageEditParamsImageUnion{OfFile: png()}}))
			return wanted(nil, n == 2 && last.Type == "image_edit.completed")
		},
		"a variation": func(*testing.T) error {
			got, err := client.Images.NewVariation(ctx, sdk.ImageNewVariationParams{Model: "honest", Image: png()}) //nolint:staticcheck // deprecated, and still served
			return wanted(err, err == nil && len(got.Data) == 1)
		},
		"an error": func(*testing.T) error {
			_, err := client.Images.Generate(ctx, sdk.ImageGenerateParams{Prompt: "a ship"})
			var apiErr *sdk.Error
			return wanted(nil, errors.As(err, &apiErr) && apiErr.StatusCode == 400 && apiErr.Param == "model")
		},
		"an error within events": func(*testing.T) error {
			stream := client.Images.GenerateStreaming(ctx, sdk.ImageGenerateParams{Model: "cut", Prompt: "a ship"})
			for stream.Next() {
			}
			return wanted(nil, stream.Err() != nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := call(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// What goes to an upstream and to a client is held against the publisher's description.
func TestMedia_Spec(t *testing.T) {
	t.Parallel()
	spec := testkit.OpenAISpec(t)
	m := newMedia(t)
	g := start(t, nil, m.targets())
	for path, body := range map[string]string{
		moderationsPath:  `{"model":"honest","input":"a"}`,
		speechPath:       speaking("honest", `,"stream_format":"sse"`),
		imagesPath:       `{"model":"honest","prompt":"a"}`,
		imagesPath + " ": `{"model":"honest","prompt":"a","stream":true}`,
	} {
		path = strings.TrimSpace(path)
		got := g.do(t, "POST", path, body)
		if got.header.Get("Content-Type") == "application/json" {
			if err := spec.ValidateResponse(path, []byte(got.body)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		for _, data := range testkit.EventData([]byte(got.body)) {
			if err := spec.ValidateChunk(path, data); err != nil {
				t.Errorf("%s: %s: %v", path, data, err)
			}
		}
	}
	for _, s := range m.seen {
		if s.fields == nil {
			if err := spec.ValidateRequest(s.path, s.body); err != nil {
				t.Errorf("sent to %s: %s: %v", s.path, s.body, err)
			}
		}
	}
	for _, path := range []string{transcriptionsPath, imageEditsPath} {
		got := g.sendForm(t, path, "model", "honest", "stream", "true", "prompt", "p", "file", "@x")
		for _, data := range testkit.EventData([]byte(got.body)) {
			if err := spec.ValidateChunk(path, data); err != nil {
				t.Errorf("%s: %s: %v", path, data, err)
			}
		}
	}
}
