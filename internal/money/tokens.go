package money

import "fmt"

// Tokens are the counts that a bill is made of, in classes that never overlap:
// every token is in exactly one. Image classes count video frames too.
//
// Each provider's own totals come back exactly: TotalInput is OpenAI's
// prompt_tokens, Anthropic's input_tokens + cache_creation_input_tokens +
// cache_read_input_tokens, Gemini's promptTokenCount + toolUsePromptTokenCount;
// TotalOutput is completion_tokens, output_tokens, and candidatesTokenCount +
// thoughtsTokenCount.
type Tokens struct {
	Input          int64 `json:"input,omitempty"`            // text (or undeclared) input that no cache answered or kept
	CacheRead      int64 `json:"cache_read,omitempty"`       // input answered by the provider's prompt cache
	CacheWrite5m   int64 `json:"cache_write_5m,omitempty"`   // input written to the cache for 5 minutes, or for a time not stated
	CacheWrite1h   int64 `json:"cache_write_1h,omitempty"`   // input written to the cache for an hour
	AudioInput     int64 `json:"audio_input,omitempty"`      // audio input, not from the cache
	AudioCacheRead int64 `json:"audio_cache_read,omitempty"` // audio input answered by the cache
	ImageInput     int64 `json:"image_input,omitempty"`      // image input, not from the cache
	Output         int64 `json:"output,omitempty"`           // visible text
	Reasoning      int64 `json:"reasoning,omitempty"`        // thinking, billed as output
	AudioOutput    int64 `json:"audio_output,omitempty"`     // generated audio
	ImageOutput    int64 `json:"image_output,omitempty"`     // generated images
	Requests       int64 `json:"requests,omitempty"`         // calls, where a price is per call
	Searches       int64 `json:"searches,omitempty"`         // web searches that the provider ran
}

// MaxTokens bounds every count that is read from an answer: 10^12, far above any
// context window. More is a broken or hostile upstream.
const MaxTokens = 1_000_000_000_000

// TotalInput is the number of input tokens, whatever their class.
func (t Tokens) TotalInput() int64 {
	return t.Input + t.CacheRead + t.CacheWrite5m + t.CacheWrite1h +
		t.AudioInput + t.AudioCacheRead + t.ImageInput
}

// TotalOutput is the number of output tokens, whatever their class.
func (t Tokens) TotalOutput() int64 {
	return t.Output + t.Reasoning + t.AudioOutput + t.ImageOutput
}

// Total is TotalInput + TotalOutput.
func (t Tokens) Total() int64 { return t.TotalInput() + t.TotalOutput() }

// IsZero reports whether nothing was counted.
func (t Tokens) IsZero() bool { return t == Tokens{} }

// Add is the sum class by class.
func (t Tokens) Add(u Tokens) Tokens {
	return Tokens{
		Input:          t.Input + u.Input,
		CacheRead:      t.CacheRead + u.CacheRead,
		CacheWrite5m:   t.CacheWrite5m + u.CacheWrite5m,
		CacheWrite1h:   t.CacheWrite1h + u.CacheWrite1h,
		AudioInput:     t.AudioInput + u.AudioInput,
		AudioCacheRead: t.AudioCacheRead + u.AudioCacheRead,
		ImageInput:     t.ImageInput + u.ImageInput,
		Output:         t.Output + u.Output,
		Reasoning:      t.Reasoning + u.Reasoning,
		AudioOutput:    t.AudioOutput + u.AudioOutput,
		ImageOutput:    t.ImageOutput + u.ImageOutput,
		Requests:       t.Requests + u.Requests,
		Searches:       t.Searches + u.Searches,
	}
}

// Inclusive are counts the way most providers report them: two totals, and parts
// that are contained in them. Providers that report parts beside the total
// (Anthropic's cache counts, Gemini's thoughts) are added into the total first.
type Inclusive struct {
	Prompt       int64 // all input
	Cached       int64 // of Prompt: answered by the cache
	CacheWrite   int64 // of Prompt: written to the cache
	CacheWrite1h int64 // of CacheWrite: for an hour
	Audio        int64 // of Prompt
	AudioCached  int64 // of Cached and of Audio
	Image        int64 // of Prompt
	ImageCached  int64 // of Cached and of Image
	Completion   int64 // all output
	Reasoning    int64 // of Completion, or beside it where Total says so
	AudioOut     int64 // of Completion
	ImageOut     int64 // of Completion
	Total        int64 // the provider's own total, 0 when it gave none
	Searches     int64 // web searches, outside all totals
}

// FromInclusive splits inclusive counts into disjoint classes. A negative count,
// one above MaxTokens, or parts that exceed what contains them are errors: no
// class is ever negative, and no token is counted twice.
//
// Two things that providers leave open are settled by arithmetic. Where Total is
// Prompt + Completion + Reasoning, the reasoning stands beside the completion (xAI
// counts so) and is added to it. Where audio or images and cached input only fit
// into the prompt when they overlap, the smallest overlap that fits is taken.
func FromInclusive(n Inclusive) (Tokens, error) {
	if err := n.bounded(); err != nil {
		return Tokens{}, err
	}
	completion := n.Completion
	if n.Reasoning > 0 && n.Total == n.Prompt+n.Completion+n.Reasoning {
		completion += n.Reasoning
	}
	output := completion - n.Reasoning - n.AudioOut - n.ImageOut
	if output < 0 {
		return Tokens{}, contradiction("reasoning, audio and image output", completion-output, "all output", completion)
	}
	t, err := n.input()
	if err != nil {
		return Tokens{}, err
	}
	t.Output, t.Reasoning, t.AudioOutput, t.ImageOutput = output, n.Reasoning, n.AudioOut, n.ImageOut
	t.Searches = n.Searches
	return t, nil
}

// input splits the prompt.
func (n Inclusive) input() (Tokens, error) {
	fresh := n.Prompt - n.Cached - n.CacheWrite // what no cache had a part in
	switch {
	case fresh < 0:
		return Tokens{}, contradiction("cached and cache-written input", n.Cached+n.CacheWrite, "all input", n.Prompt)
	case n.CacheWrite1h > n.CacheWrite:
		return Tokens{}, contradiction("one-hour cache writes", n.CacheWrite1h, "cache writes", n.CacheWrite)
	case n.AudioCached > n.Audio:
		return Tokens{}, contradiction("cached audio", n.AudioCached, "audio input", n.Audio)
	case n.ImageCached > n.Image:
		return Tokens{}, contradiction("cached images", n.ImageCached, "image input", n.Image)
	}
	audio := min(n.Audio-n.AudioCached, fresh)
	audioCached := n.Audio - audio
	image := min(n.Image-n.ImageCached, fresh-audio)
	imageCached := n.Image - image
	if audioCached+imageCached > n.Cached {
		return Tokens{}, contradiction("audio and image input", n.Audio+n.Image, "the input they can be part of", fresh+n.Cached)
	}
	return Tokens{
		Input:          fresh - audio - image,
		CacheRead:      n.Cached - audioCached, // cached images are billed as cached text
		CacheWrite5m:   n.CacheWrite - n.CacheWrite1h,
		CacheWrite1h:   n.CacheWrite1h,
		AudioInput:     audio,
		AudioCacheRead: audioCached,
		ImageInput:     image,
	}, nil
}

func contradiction(part string, n int64, whole string, of int64) error {
	return fmt.Errorf("usage contradicts itself: %s (%d tokens) exceeds %s (%d)", part, n, whole, of)
}

func (n Inclusive) bounded() error {
	for _, v := range [...]int64{
		n.Prompt, n.Cached, n.CacheWrite, n.CacheWrite1h, n.Audio, n.AudioCached, n.Image, n.ImageCached,
		n.Completion, n.Reasoning, n.AudioOut, n.ImageOut, n.Total, n.Searches,
	} {
		if v < 0 || v > MaxTokens {
			return fmt.Errorf("usage holds a count of %d: counts lie between 0 and %d", v, int64(MaxTokens))
		}
	}
	return nil
}
