package ollama

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
)

// readMessages turns messages into turns. Instructions before the first turn are the
// prompt's system; results of tools become parts of a user's turn, those of one
// round in one turn.
func readMessages(p *llm.Prompt, messages []message) error {
	var calls callBook
	for i := range messages {
		m := &messages[i]
		for name := range m.Extra {
			p.Unread = appendOnce(p.Unread, "messages."+name)
		}
		switch role := strings.ToLower(m.Role); role { // as Ollama reads it
		case "system":
			if len(p.Turns) == 0 {
				p.System = append(p.System, words(m)...)
				continue
			}
			p.Turns = append(p.Turns, llm.Turn{Role: llm.System, Parts: words(m)})
		case "user":
			p.Turns = append(p.Turns, llm.Turn{Role: llm.User, Parts: words(m)})
		case "assistant":
			p.Turns = append(p.Turns, llm.Turn{Role: llm.Assistant, Parts: readAssistant(m, &calls)})
		case "tool":
			p.Turns = appendResult(p.Turns, calls.answer(m))
		default:
			at := fmt.Sprintf("messages[%d].role", i)
			return wire.Invalid(at, fmt.Sprintf("%s: %q is no role; it is system, user, assistant or tool", at, m.Role))
		}
	}
	return nil
}

func appendOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// words are the text and the pictures of a message. A message of neither is an empty
// text: its turn stays.
func words(m *message) (parts []llm.Part) {
	if m.Content != "" || len(m.Images) == 0 {
		parts = append(parts, llm.Part{Kind: llm.Text, Text: m.Content})
	}
	for _, data := range m.Images {
		parts = append(parts, llm.Part{Kind: llm.Image, Media: &llm.Media{MIME: pictureType(data), Base64: data}})
	}
	return parts
}

// pictureTypes are the media types of pictures by how their base64 begins: this
// dialect does not say them, and most others must.
var pictureTypes = [...]struct{ head, kind string }{
	{"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"},
}

func pictureType(base64 string) string {
	for _, t := range pictureTypes {
		if strings.HasPrefix(base64, t.head) {
			return t.kind
		}
	}
	return ""
}

// readAssistant puts thought before words and words before calls, as models make
// them.
func readAssistant(m *message, calls *callBook) (parts []llm.Part) {
	if m.Thinking != "" {
		parts = append(parts, llm.Part{Kind: llm.Reasoning, Text: m.Thinking})
	}
	if m.Content != "" || len(m.ToolCalls) == 0 {
		parts = append(parts, words(m)...)
	}
	for i := range m.ToolCalls {
		c := &m.ToolCalls[i]
		arguments := string(c.Function.Arguments)
		if len(c.Function.Arguments) == 0 || c.Function.Arguments.Kind() == 'n' {
			arguments = "{}"
		}
		call := &llm.Call{ID: c.ID, Name: c.Function.Name, Arguments: arguments}
		calls.note(call)
		parts = append(parts, llm.Part{Kind: llm.ToolCall, Call: call})
	}
	return parts
}

// callBook finds the call that a result answers. Calls of this dialect may lack an id,
// and so may results: those answer the first open call of their tool, else the first
// open call.
type callBook struct {
	open  []*llm.Call
	count int
}

// note takes a call up and gives it an id if it has none.
func (b *callBook) note(c *llm.Call) {
	if c.ID == "" {
		c.ID = fmt.Sprintf("call_%d", b.count)
	}
	b.count++
	b.open = append(b.open, c)
}

// answer is the result that a message tells.
func (b *callBook) answer(m *message) llm.Part {
	r := &llm.Result{CallID: m.ToolCallID, Name: m.ToolName, Parts: words(m)}
	if i := b.find(m); i >= 0 {
		r.CallID, r.Name = b.open[i].ID, b.open[i].Name
		b.open = append(b.open[:i], b.open[i+1:]...)
	}
	return llm.Part{Kind: llm.ToolResult, Result: r}
}

func (b *callBook) find(m *message) int {
	for i, c := range b.open {
		switch {
		case m.ToolCallID != "":
			if c.ID == m.ToolCallID {
				return i
			}
		case m.ToolName == "" || m.ToolName == c.Name:
			return i
		}
	}
	if m.ToolCallID == "" && len(b.open) > 0 {
		return 0
	}
	return -1
}

// appendResult joins the results of one round of calls, as the other dialects have
// them in one turn.
func appendResult(turns []llm.Turn, result llm.Part) []llm.Turn {
	if n := len(turns); n > 0 && turns[n-1].Role == llm.User && turns[n-1].Parts[0].Kind == llm.ToolResult {
		turns[n-1].Parts = append(turns[n-1].Parts, result)
		return turns
	}
	return append(turns, llm.Turn{Role: llm.User, Parts: []llm.Part{result}})
}
