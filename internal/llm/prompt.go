package llm

// Prompt is a request in the house's own words. A codec reads it from a client's
// body when the target speaks another dialect, and another codec writes it. What
// both sides speak is never turned into a Prompt: those bytes pass through.
type Prompt struct {
	Surface Surface

	// System are the instructions that stand before all turns.
	System []Part
	Turns  []Turn

	Tools    []Tool
	Choice   ToolChoice
	Parallel *bool // whether several tools may be called at once, nil: not said
	Format   Format
	Thinking Thinking
	Sampling Sampling

	// User is the client's own id of its end user, Metadata its further notes.
	User     string
	Metadata map[string]string
	// Tier is the service tier that was asked for, in the client's word.
	Tier string
	// Unread are the client's fields that have no word here: no other dialect can be
	// told of them, so they are always a loss.
	Unread []string

	// Texts are what the Completions surface continues and the Embeddings surface
	// turns into vectors of so many Dimensions (0: the model's own).
	Texts      []string
	Suffix     string // of a completion
	Dimensions int
	Purpose    string // of an embedding: "query", "document", "classification", "clustering"; "" when not said

	// Query is what the Rerank surface orders Documents by; TopN is how many of them
	// are wanted, 0 for all.
	Query     string
	Documents []string
	TopN      int
}

// Role is who speaks in a turn.
type Role string

// The roles. Tool results are parts of a user's turn, as the model sees them.
// System is for instructions in the middle of a conversation.
const (
	User      Role = "user"
	Assistant Role = "assistant"
	System    Role = "system"
)

// Turn is what one side says before the other does. Codecs that read join
// neighbours of the same role only where their own dialect means one turn by them.
type Turn struct {
	Role  Role
	Name  string // of the participant, where the dialect has one
	Parts []Part
}

// PartKind is what a part is.
type PartKind uint8

// The kinds of parts. Those behind Document are seldom or never sent by users.
const (
	Text       PartKind = iota + 1
	Image               // Media
	Audio               // Media
	Video               // Media
	Document            // Media: a PDF or a text that may be cited
	Reasoning           // Text may be empty where only its Signature or Redacted travels
	Refusal             // Text
	ToolCall            // Call
	ToolResult          // Result
	Other               // Raw, in the words of Dialect: server tools and their results
)

// Part is one piece of a turn or of an answer.
type Part struct {
	Kind  PartKind
	Text  string
	Media *Media
	Call  *Call
	// Result answers a call of an earlier turn.
	Result *Result
	// Signature proves to its provider that a piece of thought is the model's own. It
	// goes back byte for byte, and only to the dialect Signer that made it.
	Signature, Signer string
	// Redacted is thought that only its provider can read, in Signer's own form.
	Redacted string
	// Cache asks that the prompt is cached up to here.
	Cache     *Cache
	Citations []Citation
	// Raw is a part that has no word here, as Dialect wrote it.
	Raw     []byte
	Dialect string
}

// Media is a file within a part: its bytes in base64, or where they are.
type Media struct {
	MIME   string // "image/png"; "" when not said
	Base64 string
	URL    string
	FileID string // at the provider whose dialect is FileOf
	FileOf string
	Name   string // of the file, or its title
	Detail string // "low", "high", "auto"
	// Context is what the client says about a document; Cite asks for citations of it.
	Context string
	Cite    bool
}

// Call is a tool call. Arguments are JSON text as the model wrote it, which may be
// broken; "" stands for no arguments yet.
type Call struct {
	ID, Name, Arguments string
}

// Result is what a tool gave back. Name is the tool's where the dialect says it, or
// the reader found it by CallID.
type Result struct {
	CallID, Name string
	Parts        []Part
	Failed       bool
}

// Cache is a breakpoint of a provider's prompt cache.
type Cache struct {
	TTL string // "5m", "1h"; "" is the provider's own
}

// Citation says where a sentence comes from. Start and End count characters in
// the cited document, or of the answer where Of is "answer"; both 0 when not said.
type Citation struct {
	Kind       string // "document", "web", "search_result"
	Quote      string
	Title, URL string
	Document   int // index of the document among those of the request, -1 when not said
	Start, End int
	Of         string // "document" or "answer": what Start and End count in
	Raw        []byte // as its dialect wrote it
	Dialect    string
}

// Tool is what the model may call. A tool that is not a function is one that the
// provider runs itself; it has no word here and rides in Raw.
type Tool struct {
	Name        string
	Description string
	Schema      []byte // JSON Schema of the arguments, nil for none
	Strict      *bool
	Cache       *Cache
	Raw         []byte
	Dialect     string // whose tool Raw is
}

// IsFunction reports whether the client runs the tool.
func (t *Tool) IsFunction() bool { return t.Raw == nil }

// ChoiceMode is how free the model is to call tools.
type ChoiceMode uint8

// The modes. ChoiceUnset leaves it to the provider, which means auto.
const (
	ChoiceUnset ChoiceMode = iota
	ChoiceAuto
	ChoiceNone
	ChoiceAny // some tool must be called
	ChoiceOne // the tool of Name must be called
)

// ToolChoice is a mode with what it needs. Allowed narrows the tools that auto and
// any choose from.
type ToolChoice struct {
	Mode    ChoiceMode
	Name    string
	Allowed []string
}

// FormatKind is what an answer must look like.
type FormatKind uint8

// The formats.
const (
	FormatText FormatKind = iota
	FormatJSON            // some JSON object
	FormatSchema
)

// Format is the shape that is asked of the answer.
type Format struct {
	Kind        FormatKind
	Name        string
	Description string
	Schema      []byte
	Strict      *bool
}

// ThinkingMode is whether a model should think before it answers.
type ThinkingMode uint8

// The modes. Unset leaves it to the model.
const (
	ThinkingUnset ThinkingMode = iota
	ThinkingOff
	ThinkingOn
	ThinkingAdaptive // the model decides how much
)

// Thinking is how much a model should think. Effort and Budget say the same in the
// words of different providers; a codec turns one into the other with EffortOf and
// BudgetOf where its dialect knows only that one.
type Thinking struct {
	Mode   ThinkingMode
	Effort string // "none", "minimal", "low", "medium", "high", "xhigh", "max"; "" when not said
	Budget int64  // tokens, 0 when not said
	// Show asks for the thoughts, or a summary of them, in the answer.
	Show *bool
	// Summary is how the summary is wanted: "auto", "concise", "detailed".
	Summary string
}

// budgets are what an effort means where only tokens can be said, and the other way
// round: an effort stands for every budget up to its own. The figures are the
// defaults that Google publishes for its OpenAI-compatible endpoint
// (https://ai.google.dev/gemini-api/docs/openai), with one step above them.
var budgets = [...]struct {
	effort string
	tokens int64
}{{"minimal", 1024}, {"low", 4096}, {"medium", 8192}, {"high", 24576}, {"xhigh", 32768}}

// BudgetOf is the number of tokens that an effort stands for, 0 for none.
func BudgetOf(effort string) int64 {
	for _, b := range budgets {
		if b.effort == effort {
			return b.tokens
		}
	}
	if effort == "max" {
		return budgets[len(budgets)-1].tokens
	}
	return 0
}

// EffortOf is the effort that a budget of tokens stands for, "" for none.
func EffortOf(tokens int64) string {
	if tokens <= 0 {
		return ""
	}
	for _, b := range budgets {
		if tokens <= b.tokens {
			return b.effort
		}
	}
	return budgets[len(budgets)-1].effort
}

// Sampling is how tokens are drawn. Nil is not said.
type Sampling struct {
	MaxTokens        *int64
	Temperature      *float64
	TopP             *float64
	TopK             *int64
	MinP             *float64
	Seed             *int64
	Stop             []string
	PresencePenalty  *float64
	FrequencyPenalty *float64
	RepeatPenalty    *float64
	LogitBias        []byte // JSON object
	N                int    // answers, 0 is one
	Logprobs         bool
	TopLogprobs      int
}
