package dialecttest

import (
	"bytes"
	"fmt"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// sample is an answer that has something of everything, and letters of several bytes.
func sample(target string) *llm.Answer {
	a := stops(llm.StopTools, text("naïve 日本 👩‍👩‍👧"), call("call_a", "get_weather", `{"city":"Ålesund"}`), call("call_b", "get_time", `{"zone":"CET"}`))(target)
	a.Usage = money.Tokens{Input: 12, Output: 40}
	return a
}

// SampleStream is the sample as the events of an upstream.
func SampleStream(target *dialect.Codec) ([]byte, error) {
	feature := ReplyFeature{Name: "sample", Make: sample, Piece: 16}
	events, ok := Streamed(target, feature)
	if !ok {
		return nil, fmt.Errorf("%s cannot stream the sample", target.Name)
	}
	return events, nil
}

// LongStream is an answer in so many pieces of text.
func LongStream(target *dialect.Codec, n int) ([]byte, error) {
	feature := ReplyFeature{Name: "sample of text", Make: func(string) *llm.Answer {
		return says(text(string(bytes.Repeat([]byte("word "), n))))("")
	}}
	events, ok := Streamed(target, feature)
	if !ok {
		return nil, fmt.Errorf("%s cannot stream text", target.Name)
	}
	return events, nil
}

// CompleteAt is how many bytes of a stream it takes until its answer has its stop
// reason.
func CompleteAt(target *dialect.Codec, events []byte) (int, error) {
	req, err := ownRequest(target, true)
	if err != nil {
		return 0, err
	}
	decoder := target.Stream(req, Options(target))
	frames := framesOf(target, bytes.NewReader(events))
	at := 0
	for {
		raw, err := frames.Next()
		if err != nil {
			return 0, fmt.Errorf("the stream of %s never completes: %w", target.Name, err)
		}
		at += len(raw.Raw)
		if _, err := decoder.Next(raw); err != nil {
			return 0, err
		}
		if decoder.Complete() {
			return at, nil
		}
	}
}

// HalfAt is how many bytes of a stream are whole events, up to about its half.
func HalfAt(target *dialect.Codec, events []byte) (at int) {
	frames := framesOf(target, bytes.NewReader(events))
	for at < len(events)/2 {
		raw, err := frames.Next()
		if err != nil {
			break
		}
		at += len(raw.Raw)
	}
	return at
}

// FailEvent is an error within a stream as an upstream of the target's dialect sends
// it; nil where the kit has none.
func FailEvent(target *dialect.Codec, e *llm.Error) []byte {
	if maker, ok := makers[target.Name]; ok {
		return maker.fail(e)
	}
	req, err := ownRequest(target, true)
	if err != nil {
		return nil
	}
	return target.Writer(req).Fail(nil, e)
}
