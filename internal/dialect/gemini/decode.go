package gemini

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Decode checks a client's body and reads from it what the house needs. The body
// is kept, not copied: the caller must not change it afterwards. Errors are
// *llm.Error of kind Invalid that name the field.
func Decode(in llm.Incoming) (*llm.Request, error) {
	doc, err := wire.Object(in.Body, in.Limits)
	if err != nil {
		return nil, err
	}
	req := &llm.Request{
		Surface: in.Surface, Dialect: Name, Body: in.Body, Doc: doc, Needs: in.Surface.Needed(),
		Model: strings.TrimPrefix(in.Model, "models/"), Stream: in.Stream, StreamUsage: true, Array: in.Stream && in.Array,
	}
	switch {
	case req.Model == "":
		return nil, wire.Invalid("model", "model is missing; it stands in the path: /v1beta/models/MODEL:generateContent")
	case req.Stream:
		req.Needs |= llm.CanStream
	}
	if err := wire.CheckModel(req.Model); err != nil {
		return nil, err
	}
	asked, err := camelDoc(&doc, in.Limits)
	if err != nil {
		return nil, err
	}
	if err := wire.CheckFields(&asked, fieldKinds); err != nil {
		return nil, err
	}
	if err := decodeSurface(req, asked.Root()); err != nil {
		return nil, err
	}
	labels, _ := asked.Get("labels")
	return req, wire.ReadTags(req, labels, "labels")
}

// camelDoc is the document with its names in camelCase; one name in both ways of
// writing it is a name said twice.
func camelDoc(doc *rawjson.Doc, limits rawjson.Limits) (rawjson.Doc, error) {
	body := camelNames(doc.Root())
	if len(body) == len(doc.Root().Raw()) && &body[0] == &doc.Root().Raw()[0] {
		return *doc, nil
	}
	out, err := rawjson.Check(body, limits)
	if err != nil {
		return out, wire.BadJSON(err)
	}
	return out, nil
}

func decodeSurface(req *llm.Request, root rawjson.Value) error {
	switch req.Surface {
	case llm.Embeddings:
		return decodeEmbed(root)
	case llm.CountTokens:
		if inner, ok := root.Get("generateContentRequest"); ok && inner.Kind() == rawjson.Object {
			root = inner
		}
		return decodeContents(req, root)
	}
	if err := decodeContents(req, root); err != nil {
		return err
	}
	config, _ := root.Get("generationConfig")
	if err := wire.CheckWithin("generationConfig.", config, configKinds); err != nil {
		return err
	}
	if err := decodeConfig(req, config); err != nil {
		return err
	}
	return decodeTools(req, root)
}

// each gives the elements of a list that may be one element without brackets.
func each(v rawjson.Value, yield func(i int, item rawjson.Value) error) error {
	if v.Kind() == rawjson.Object {
		return yield(0, v)
	}
	i := 0
	for item := range v.Items() {
		if err := yield(i, item); err != nil {
			return err
		}
		i++
	}
	return nil
}

func decodeContents(req *llm.Request, root rawjson.Value) error {
	contents, _ := root.Get("contents")
	count := 0
	err := each(contents, func(i int, item rawjson.Value) error {
		count++
		at := fmt.Sprintf("contents[%d]", i)
		if item.Kind() != rawjson.Object {
			return wire.Invalid(at, at+" must be an object, got "+item.Kind().String())
		}
		parts, _ := item.Get("parts")
		switch parts.Kind() {
		case rawjson.Invalid, rawjson.Null, rawjson.Array, rawjson.Object:
		default:
			return wire.Invalid(at+".parts", at+".parts must be an array of parts, got "+parts.Kind().String())
		}
		return each(parts, func(j int, p rawjson.Value) error {
			if p.Kind() != rawjson.Object {
				at := fmt.Sprintf("%s.parts[%d]", at, j)
				return wire.Invalid(at, at+` must be an object such as {"text": "…"}, got `+p.Kind().String())
			}
			req.Needs |= needsOf(p)
			return nil
		})
	})
	if err == nil && count == 0 {
		return wire.Invalid("contents", "contents is missing or empty")
	}
	return err
}

// needsOf is what a part asks of a model: media tell by their type.
func needsOf(p rawjson.Value) (needs llm.Ability) {
	for name, v := range p.Members() {
		if !name.Is("inlineData") && !name.Is("fileData") {
			continue
		}
		kind, _ := v.Get("mimeType")
		switch mime, _ := kind.Str(); kindOfMedia(mime) {
		case llm.Image, llm.Video:
			needs |= llm.CanVision
		case llm.Audio:
			needs |= llm.CanAudio
		}
	}
	return needs
}

// kindOfMedia is the kind of part that a media type makes.
func kindOfMedia(mime string) llm.PartKind {
	class, _, _ := strings.Cut(mime, "/")
	switch class {
	case "image":
		return llm.Image
	case "audio":
		return llm.Audio
	case "video":
		return llm.Video
	}
	return llm.Document
}

func decodeConfig(req *llm.Request, config rawjson.Value) error {
	if v, ok := config.Get("maxOutputTokens"); ok && v.Kind() == rawjson.Number {
		n, err := wire.Count(v, "generationConfig.maxOutputTokens")
		if err != nil {
			return err
		}
		req.MaxTokens = n
	}
	if v, ok := config.Get("candidateCount"); ok && v.Kind() == rawjson.Number {
		n, isInt := v.Int()
		if !isInt || n < 1 || n > maxCandidates {
			return wire.Invalid("generationConfig.candidateCount", fmt.Sprintf("generationConfig.candidateCount must be a whole number from 1 to %d", maxCandidates))
		}
		if n > 1 {
			req.Needs |= llm.CanManyChoices
		}
	}
	logprobs, _ := config.Get("responseLogprobs")
	if on, _ := logprobs.Bool(); on {
		req.Needs |= llm.CanLogprobs
	}
	schema, _ := config.Get("responseSchema")
	jsonSchema, _ := config.Get("responseJsonSchema")
	mime, _ := config.Get("responseMimeType")
	switch {
	case schema.Kind() == rawjson.Object || jsonSchema.Kind() == rawjson.Object:
		req.Needs |= llm.CanSchema
	case mime.Is(mimeJSON):
		req.Needs |= llm.CanJSON
	}
	return nil
}

const mimeJSON = "application/json"

func decodeTools(req *llm.Request, root rawjson.Value) error {
	tools, _ := root.Get("tools")
	mode, _ := root.Path("toolConfig", "functionCallingConfig", "mode")
	return each(tools, func(i int, t rawjson.Value) error {
		at := fmt.Sprintf("tools[%d]", i)
		if t.Kind() != rawjson.Object {
			return wire.Invalid(at, at+" must be an object, got "+t.Kind().String())
		}
		functions, _ := t.Get("functionDeclarations")
		return each(functions, func(j int, f rawjson.Value) error {
			if name, _ := f.Get("name"); name.Kind() != rawjson.String {
				at := fmt.Sprintf("%s.functionDeclarations[%d].name", at, j)
				return wire.Invalid(at, at+" must be a string")
			}
			if !mode.Is("NONE") {
				req.Needs |= llm.CanTools
			}
			return nil
		})
	})
}

func decodeEmbed(root rawjson.Value) error {
	if requests, ok := root.Get("requests"); ok {
		count := 0
		err := each(requests, func(i int, item rawjson.Value) error {
			count++
			if c, _ := item.Get("content"); c.Kind() != rawjson.Object {
				at := fmt.Sprintf("requests[%d].content", i)
				return wire.Invalid(at, at+" must be an object with parts")
			}
			return nil
		})
		if err == nil && count == 0 {
			return wire.Invalid("requests", "requests must not be empty")
		}
		return err
	}
	if c, _ := root.Get("content"); c.Kind() != rawjson.Object {
		return wire.Invalid("content", "content is missing; it is an object with parts")
	}
	return nil
}
