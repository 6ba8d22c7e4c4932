package gemini

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Usage turns usageMetadata into disjoint token classes. Thoughts stand beside the
// candidates, and what tools put into the prompt beside the prompt
// (https://ai.google.dev/api/generate-content#UsageMetadata). Frames of a video count
// as images.
func Usage(usage rawjson.Value) (money.Tokens, error) {
	var n money.Inclusive
	for name, v := range usage.Members() {
		count, _ := v.Int()
		switch {
		case name.Is("promptTokenCount"), name.Is("toolUsePromptTokenCount"):
			n.Prompt += count
		case name.Is("cachedContentTokenCount"):
			n.Cached = count
		case name.Is("candidatesTokenCount"):
			n.Completion += count
		case name.Is("thoughtsTokenCount"):
			n.Completion += count
			n.Reasoning = count
		case name.Is("promptTokensDetails"), name.Is("toolUsePromptTokensDetails"):
			modalities(v, &n.Audio, &n.Image)
		case name.Is("cacheTokensDetails"):
			modalities(v, &n.AudioCached, &n.ImageCached)
		case name.Is("candidatesTokensDetails"):
			modalities(v, &n.AudioOut, &n.ImageOut)
		}
	}
	return money.FromInclusive(n)
}

func modalities(details rawjson.Value, audio, image *int64) {
	for item := range details.Items() {
		kind, _ := item.Get("modality")
		v, _ := item.Get("tokenCount")
		n, _ := v.Int()
		switch {
		case kind.Is("AUDIO"):
			*audio += n
		case kind.Is("IMAGE"), kind.Is("VIDEO"):
			*image += n
		}
	}
}

// appendUsage writes token counts as this dialect has them.
func appendUsage(dst []byte, t money.Tokens) []byte {
	n := func(name string, v int64) {
		dst = append(append(append(comma(dst, '{'), '"'), name...), `":`...)
		dst = strconv.AppendInt(dst, v, 10)
	}
	some := func(name string, v int64) {
		if v > 0 {
			n(name, v)
		}
	}
	dst = append(dst, '{')
	audioIn, images := t.AudioInput+t.AudioCacheRead, t.ImageInput
	said := t.TotalOutput() - t.Reasoning
	n("promptTokenCount", t.TotalInput())
	n("candidatesTokenCount", said)
	n("totalTokenCount", t.Total())
	some("cachedContentTokenCount", t.CacheRead+t.AudioCacheRead)
	some("thoughtsTokenCount", t.Reasoning)
	dst = appendModalities(dst, "promptTokensDetails", t.TotalInput()-audioIn-images, audioIn, images)
	dst = appendModalities(dst, "cacheTokensDetails", t.CacheRead, t.AudioCacheRead, 0)
	dst = appendModalities(dst, "candidatesTokensDetails", said-t.AudioOutput-t.ImageOutput, t.AudioOutput, t.ImageOutput)
	return append(dst, '}')
}

// appendModalities writes the parts of a count where there is more than text.
func appendModalities(dst []byte, name string, text, audio, image int64) []byte {
	if audio == 0 && image == 0 {
		return dst
	}
	dst = append(append(append(comma(dst, '{'), '"'), name...), `":[`...)
	for _, m := range [...]struct {
		name  string
		count int64
	}{{"TEXT", text}, {"AUDIO", audio}, {"IMAGE", image}} {
		if m.count > 0 {
			dst = append(append(append(comma(dst, '['), `{"modality":"`...), m.name...), `","tokenCount":`...)
			dst = append(strconv.AppendInt(dst, m.count, 10), '}')
		}
	}
	return append(dst, ']')
}
