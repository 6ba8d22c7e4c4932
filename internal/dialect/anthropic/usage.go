package anthropic

import (
	"strconv"

	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// counts are the numbers of a usage object. In a stream the later events say anew what
// has changed.
type counts struct {
	input, cacheWrite, cacheWrite1h, cacheRead, output, thought, searches int64
	said                                                                  bool // input and output were there
}

// read takes what a usage object says, and leaves the rest as it was.
func (c *counts) read(usage rawjson.Value) {
	for name, v := range usage.Members() {
		switch {
		case name.Is("input_tokens"):
			c.said = true
			take(&c.input, v)
		case name.Is("output_tokens"):
			c.said = true
			take(&c.output, v)
		case name.Is("cache_creation_input_tokens"):
			take(&c.cacheWrite, v)
		case name.Is("cache_read_input_tokens"):
			take(&c.cacheRead, v)
		case name.Is("cache_creation"):
			hour, _ := v.Get("ephemeral_1h_input_tokens")
			take(&c.cacheWrite1h, hour)
		case name.Is("output_tokens_details"):
			thought, _ := v.Get("thinking_tokens")
			take(&c.thought, thought)
		case name.Is("server_tool_use"):
			searches, _ := v.Get("web_search_requests")
			take(&c.searches, searches)
		}
	}
}

func take(n *int64, v rawjson.Value) {
	if i, ok := v.Int(); ok {
		*n = i
	}
}

// tokens are the counts in disjoint classes. In this dialect the cache's counts stand
// beside input_tokens, and thought is part of output_tokens. Contradictory counts are
// as good as none.
func (c *counts) tokens() (money.Tokens, bool) {
	if !c.said || max(c.input, c.cacheWrite, c.cacheRead) > money.MaxTokens || min(c.input, c.cacheWrite, c.cacheRead) < 0 {
		return money.Tokens{}, false
	}
	t, err := money.FromInclusive(money.Inclusive{
		Prompt: c.input + c.cacheWrite + c.cacheRead, Cached: c.cacheRead, CacheWrite: c.cacheWrite, CacheWrite1h: c.cacheWrite1h,
		Completion: c.output, Reasoning: c.thought, Searches: c.searches,
	})
	return t, err == nil
}

// appendUsage writes token counts as this dialect has them.
func appendUsage(dst []byte, t money.Tokens) []byte {
	n := func(name string, v int64) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(append(append(dst, '"'), name...), `":`...), v, 10)
	}
	written, read := t.CacheWrite5m+t.CacheWrite1h, t.CacheRead+t.AudioCacheRead
	dst = append(dst, '{')
	n("input_tokens", t.TotalInput()-written-read)
	n("cache_creation_input_tokens", written)
	n("cache_read_input_tokens", read)
	dst = append(dst, `,"cache_creation":{`...)
	n("ephemeral_5m_input_tokens", t.CacheWrite5m)
	n("ephemeral_1h_input_tokens", t.CacheWrite1h)
	dst = append(dst, '}')
	n("output_tokens", t.TotalOutput())
	dst = append(dst, `,"output_tokens_details":{`...)
	n("thinking_tokens", t.Reasoning)
	dst = append(dst, '}')
	if t.Searches > 0 {
		dst = append(dst, `,"server_tool_use":{`...)
		n("web_search_requests", t.Searches)
		n("web_fetch_requests", 0)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}
