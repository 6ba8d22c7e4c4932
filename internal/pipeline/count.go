package pipeline

import (
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// estimateRoute is the route of a token count that no target of the model can give.
const estimateRoute = "estimate"

// estimable reports whether a request that no target takes can be answered here: how
// many tokens a prompt has is asked by agents that mind their context, and an estimate
// that errs on the large side serves them better than a refusal.
func estimable(req *llm.Request, err error) bool {
	return req.Surface == llm.CountTokens && llm.AsError(err).Kind == llm.Unsupported
}

// estimate answers with a count from the length of the request.
func estimate(p *Passage) llm.Stream {
	return func(yield func(llm.Event, error) bool) {
		body, _ := p.In.Codec.WriteAnswer(p.Request, &llm.Answer{Usage: money.Tokens{Input: p.Request.PromptTokens()}, Counted: true})
		yield(llm.Event{Marks: llm.MarkWhole, Raw: body}, nil)
	}
}
