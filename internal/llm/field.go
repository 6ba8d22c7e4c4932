package llm

import "slices"

// Field is something of a request or an answer that a dialect may be unable to say.
// Writers report what they lost by Field; the client hears its own field name for
// it, which its codec's Names gives where it is not the Field's own text.
type Field string

// The fields that a writer may lose.
const (
	FieldSystem           Field = "system" // instructions in the middle of a conversation, moved or turned into a user's words
	FieldName             Field = "name"   // of a participant
	FieldImage            Field = "image"
	FieldAudio            Field = "audio"
	FieldVideo            Field = "video"
	FieldDocument         Field = "document"
	FieldTitle            Field = "title" // of a document, or its file's name
	FieldDetail           Field = "detail"
	FieldFile             Field = "file_id" // that lies at another provider
	FieldReasoning        Field = "reasoning"
	FieldSignature        Field = "signature"
	FieldRefusal          Field = "refusal"
	FieldCache            Field = "cache_control"
	FieldCitations        Field = "citations"
	FieldIsError          Field = "is_error" // of a tool's result
	FieldTools            Field = "tools"    // those that a provider runs itself
	FieldStrict           Field = "strict"
	FieldToolChoice       Field = "tool_choice"
	FieldParallel         Field = "parallel_tool_calls"
	FieldFormat           Field = "response_format"
	FieldThinking         Field = "thinking"
	FieldMaxTokens        Field = "max_tokens"
	FieldTemperature      Field = "temperature"
	FieldTopP             Field = "top_p"
	FieldTopK             Field = "top_k"
	FieldMinP             Field = "min_p"
	FieldSeed             Field = "seed"
	FieldStop             Field = "stop"
	FieldPresencePenalty  Field = "presence_penalty"
	FieldFrequencyPenalty Field = "frequency_penalty"
	FieldRepeatPenalty    Field = "repeat_penalty"
	FieldLogitBias        Field = "logit_bias"
	FieldLogprobs         Field = "logprobs"
	FieldTopLogprobs      Field = "top_logprobs"
	FieldN                Field = "n"
	FieldUser             Field = "user"
	FieldMetadata         Field = "metadata"
	FieldTier             Field = "service_tier"
	FieldDimensions       Field = "dimensions"
	FieldOther            Field = "content" // parts that only one dialect knows
)

// Fields lists all of them.
func Fields() []Field {
	return []Field{
		FieldSystem, FieldName, FieldImage, FieldAudio, FieldVideo, FieldDocument, FieldTitle,
		FieldDetail, FieldFile, FieldReasoning, FieldSignature, FieldRefusal, FieldCache,
		FieldCitations, FieldIsError, FieldTools, FieldStrict, FieldToolChoice, FieldParallel,
		FieldFormat, FieldThinking, FieldMaxTokens, FieldTemperature, FieldTopP, FieldTopK,
		FieldMinP, FieldSeed, FieldStop, FieldPresencePenalty, FieldFrequencyPenalty, FieldRepeatPenalty,
		FieldLogitBias, FieldLogprobs, FieldTopLogprobs, FieldN, FieldUser, FieldMetadata,
		FieldTier, FieldDimensions, FieldOther,
	}
}

// Losses collects lost fields, each once, in the order in which they were met.
type Losses []Field

// Add notes fields as lost.
func (l *Losses) Add(fields ...Field) {
	for _, f := range fields {
		if !slices.Contains(*l, f) {
			*l = append(*l, f)
		}
	}
}

// If notes a field as lost where it was there.
func (l *Losses) If(there bool, f Field) {
	if there {
		l.Add(f)
	}
}
