package pipeline

import (
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/route"
)

const (
	tagPrefix = "X-Fairlead-"
	// probeHeader asks past the catalog: see Passage.probes.
	probeHeader = "X-Fairlead-Probe"
)

// headerTags are the tags under their canonical header names.
var headerTags = func() map[string]string {
	names := make(map[string]string)
	for _, tag := range llm.TagNames {
		names[http.CanonicalHeaderKey(tagPrefix+tag)] = tag
	}
	return names
}()

// readTags takes the x-fairlead-… headers of a request. A header outranks the same
// tag in the body; classes add up. One that is not known is refused: it would
// otherwise be a wish that nobody heard.
func readTags(tags *llm.Tags, header http.Header) error {
	var fromHeader llm.Tags
	for name, values := range header {
		if !strings.HasPrefix(name, tagPrefix) || name == probeHeader {
			continue
		}
		tag, ok := headerTags[name]
		if !ok {
			tag = strings.ToLower(strings.TrimPrefix(name, tagPrefix))
		}
		for _, v := range values {
			if err := fromHeader.Set(tag, v); err != nil {
				return err
			}
		}
	}
	fromHeader.Inherit(*tags)
	*tags = fromHeader
	return nil
}

// usualOutput is how many tokens an answer is expected to have when the client set
// no bound.
const usualOutput = 500

// expected is what a request will probably use. The length of its JSON stands for
// the prompt; no tokenizer runs in a request's path.
func expected(req *llm.Request) money.Tokens {
	tokens := money.Tokens{Input: req.PromptTokens()}
	if req.Surface.Speaks() {
		tokens.Output = usualOutput
		if req.MaxTokens > 0 {
			tokens.Output = min(req.MaxTokens, usualOutput)
		}
	}
	return tokens
}

// undeclared is what a request is of that nobody classed.
var undeclared = []string{route.Public}

// ask makes the question of a request.
func ask(req *llm.Request, key KeyPolicy) (route.Question, error) {
	q := route.Question{
		Model: req.Model, Needs: req.Needs,
		Expected: expected(req), MaxTokens: req.MaxTokens, Priced: key.Priced,
	}
	req.Tags.Inherit(llm.Tags{Classes: key.Classes})
	q.Classes = req.Tags.Classes
	if len(q.Classes) == 0 {
		q.Classes = undeclared
	}
	if req.Tags.MaxUSD != "" {
		limit, err := money.Parse(req.Tags.MaxUSD)
		if err != nil {
			return q, &llm.Error{Kind: llm.Invalid, Param: "x-fairlead-max-usd", Message: err.Error()}
		}
		q.MaxUSD, q.HasMaxUSD = limit, true
	}
	return q, nil
}

// check judges the answer: is it well formed. A plain answer without a stop reason
// is as cut as a stream without one; the stream's own end is judged by its decoder.
func check(req *llm.Request) func(llm.Event) error {
	return func(ev llm.Event) error {
		if ev.Marks&llm.MarkWhole != 0 && req.Surface.Speaks() && ev.StopReason == "" {
			return &llm.Error{Kind: llm.Cut, Message: "the upstream's answer has no stop reason"}
		}
		return nil
	}
}
