package dialecttest

// geminiGrammar: every chunk is a GenerateContentResponse; the finishReason of a
// candidate stands in its last chunk, and only there; the last chunk has the usage.
// https://ai.google.dev/api/generate-content#generatecontentresponse
func geminiGrammar(c *checker, frames []frameOf) {
	stopped := map[int]bool{}
	begun := map[int]bool{}
	for i, f := range frames {
		if f.json == nil {
			c.wrong("event %d is not a JSON object: %.80s", i, f.data)
			continue
		}
		c.must(f.name == "", "event %d has a name: %q", i, f.name)
		c.must(f.json.at("error") == nil, "event %d is an error", i)
		for _, candidate := range f.json.list("candidates") {
			n := max(candidate.num("index"), 0)
			begun[n] = true
			c.must(!stopped[n], "event %d: candidate %d goes on behind its finishReason", i, n)
			stopped[n] = stopped[n] || candidate.str("finishReason") != ""
			if candidate.at("content") != nil {
				c.must(candidate.str("content.role") == "model", "event %d: the role is %q", i, candidate.str("content.role"))
			}
		}
		if i == len(frames)-1 {
			c.must(f.json.at("usageMetadata") != nil, "the last event has no usageMetadata")
		}
	}
	c.must(len(begun) > 0, "no candidate was ever begun")
	for n := range begun {
		c.must(stopped[n], "candidate %d has no finishReason", n)
	}
}

// ollamaGrammar: lines of JSON with model, created_at and a message; done is true in
// the last line, and only there, with done_reason and the counts.
// https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
func ollamaGrammar(c *checker, frames []frameOf) {
	for i, f := range frames {
		if f.json == nil {
			c.wrong("line %d is not a JSON object: %.80s", i, f.data)
			continue
		}
		last := i == len(frames)-1
		done, _ := f.json.at("done").(bool)
		c.must(f.json.at("error") == nil, "line %d is an error", i)
		c.must(done == last, "line %d: done is %v", i, done)
		c.must(f.json.str("model") != "" && f.json.str("created_at") != "", "line %d lacks model or created_at", i)
		c.must(f.json.str("message.role") == "assistant", "line %d: the role is %q", i, f.json.str("message.role"))
		if last {
			c.must(f.json.str("done_reason") != "", "the last line has no done_reason")
			c.must(f.json.num("eval_count") >= 0, "the last line has no eval_count")
		}
	}
	c.must(len(frames) > 0, "the stream is empty")
}
