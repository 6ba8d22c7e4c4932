package gemini

import (
	"bytes"
	"slices"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Encode gives the bytes to send to an upstream of the same dialect: the client's
// own with only the edited fields changed, and the fields that were lost. The
// client's slice is not written to.
func Encode(req *llm.Request, opt llm.Options) (body rawjson.Segments, lost []string, err error) {
	doc := req.Doc
	edit := req.Doc.Edit()
	if wire.DropTags(req, &edit, "labels") {
		edited, err := edit.Apply()
		if err != nil {
			return nil, nil, err
		}
		if doc, err = rawjson.Check(edited, rawjson.Limits{Depth: rawjson.MaxDepth}); err != nil {
			return nil, nil, err
		}
	}
	var cuts splices
	if opt.Model != req.Model {
		cuts.models(doc.Root(), rawjson.AppendString(nil, resource(opt.Model)))
	}
	if bytes.Contains(doc.Bytes(), carriedHead) && cuts.signatures(doc.Root()) {
		lost = []string{Names[llm.FieldSignature]}
	}
	return rawjson.Segments{cuts.apply(doc.Bytes())}, lost, nil
}

// splices are changes to a body, apart from each other.
type splices []splice

type splice struct {
	from, to int
	text     []byte
}

func (s *splices) replace(v rawjson.Value, text []byte) {
	from, to := v.Pos()
	*s = append(*s, splice{from, to, text})
}

// apply makes the changes. Without any the body is returned as it is.
func (s *splices) apply(body []byte) []byte {
	if len(*s) == 0 {
		return body
	}
	slices.SortFunc(*s, func(a, b splice) int { return a.from - b.from })
	out := make([]byte, 0, len(body)+len(*s)*32)
	at := 0
	for _, c := range *s {
		out = append(append(out, body[at:c.from]...), c.text...)
		at = c.to
	}
	return append(out, body[at:]...)
}

// models names the target's model where a body repeats the one of its path: in
// embeddings requests and within countTokens.
func (s *splices) models(root rawjson.Value, name []byte) {
	for field, v := range root.Fields() {
		switch camel(field) {
		case "model":
			s.replace(v, name)
		case "generateContentRequest":
			s.models(v, name)
		case "requests":
			for item := range v.Items() {
				s.models(item, name)
			}
		}
	}
}

// signatures takes out those of other dialects, which Google would refuse. A part
// that held nothing else becomes an empty text, as streams end with one.
func (s *splices) signatures(root rawjson.Value) (found bool) {
	for field, v := range root.Fields() {
		switch {
		case camel(field) == "generateContentRequest":
			found = s.signatures(v) || found
		case field == "contents":
			_ = each(v, func(_ int, content rawjson.Value) error {
				parts, _ := content.Get("parts")
				return each(parts, func(_ int, p rawjson.Value) error {
					found = s.unsign(p) || found
					return nil
				})
			})
		}
	}
	return found
}

func (s *splices) unsign(p rawjson.Value) bool {
	foreign, thought := false, false
	out := []byte{'{'}
	for name, v := range p.Fields() {
		switch camel(name) {
		case "thoughtSignature":
			if isForeign(v) {
				foreign = true
				continue
			}
		case "thought":
			thought, _ = v.Bool()
		}
		out = append(rawjson.AppendString(comma(out, '{'), name), ':')
		out = append(out, v.Raw()...)
	}
	if !foreign {
		return false
	}
	if text, _ := p.Get("text"); thought && (text.Kind() != rawjson.String || text.Is("")) || len(out) == 1 {
		s.replace(p, []byte(`{"text":""}`))
		return true
	}
	s.replace(p, append(out, '}'))
	return true
}
