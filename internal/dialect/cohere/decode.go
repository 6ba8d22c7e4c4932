package cohere

import (
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// rerankKinds are the fields of a rerank request whose type is checked. Any other field
// travels on unseen.
var rerankKinds = map[string]wire.Kinds{
	"model": {rawjson.String}, "query": {rawjson.String, rawjson.Object}, "documents": {rawjson.Array}, "top_n": {rawjson.Number},
	"return_documents": {rawjson.Bool}, "max_tokens_per_doc": {rawjson.Number},
}

// maxDocuments bounds what one request may ask to be ordered: ten times what Cohere takes.
const maxDocuments = 100_000

// Decode checks a client's rerank request and reads from it what the house needs. Errors are
// *llm.Error of kind Invalid that name the field.
func Decode(in llm.Incoming) (*llm.Request, error) {
	if in.Surface != llm.Rerank {
		return nil, &llm.Error{Kind: llm.Unsupported, Message: "clients speak Cohere's dialect for rerank only"}
	}
	doc, err := wire.Object(in.Body, in.Limits)
	if err != nil {
		return nil, err
	}
	if err := wire.CheckFields(&doc, rerankKinds); err != nil {
		return nil, err
	}
	req := &llm.Request{Surface: in.Surface, Dialect: Name, Body: in.Body, Doc: doc, Needs: in.Surface.Needed()}
	if req.Model, err = wire.Model(&doc, wire.Unnamed); err != nil {
		return nil, err
	}
	return req, checkRerank(&doc)
}

func checkRerank(doc *rawjson.Doc) error {
	if query, _ := doc.Get("query"); query.Kind() == rawjson.Invalid || query.Kind() == rawjson.Null {
		return wire.Missing("query", "query is missing")
	}
	documents, _ := doc.Get("documents")
	n := 0
	for d := range documents.Items() {
		if d.Kind() != rawjson.String && d.Kind() != rawjson.Object {
			at := "documents[" + strconv.Itoa(n) + "]"
			return wire.Invalid(at, at+" must be a string or an object such as {\"text\": …}, got "+d.Kind().String())
		}
		if n++; n > maxDocuments {
			return wire.Invalid("documents", "documents are too many")
		}
	}
	if n == 0 {
		return wire.Missing("documents", "documents must hold at least one")
	}
	if v, ok := doc.Get("top_n"); ok && v.Kind() == rawjson.Number {
		if top, whole := v.Int(); !whole || top < 1 {
			return wire.Invalid("top_n", "top_n must be a whole number, 1 or more")
		}
	}
	return nil
}

// Read reads all of a client's rerank request.
func Read(req *llm.Request) (*llm.Prompt, error) {
	p := &llm.Prompt{Surface: req.Surface}
	for name, v := range req.Doc.Fields() {
		switch {
		case v.Kind() == rawjson.Null, name == "model", name == "return_documents": // the answer shows them
		case name == "query":
			var ok bool
			if p.Query, ok = v.Str(); !ok {
				return nil, wire.Unsupported("query", "query must be text for this target")
			}
		case name == "documents":
			for d := range v.Items() {
				text, ok := textOf(d)
				if !ok {
					return nil, wire.Unsupported("documents", "documents must be texts for this target")
				}
				p.Documents = append(p.Documents, text)
			}
		case name == "top_n":
			n, _ := v.Int()
			p.TopN = int(n)
		default:
			p.Unread = append(p.Unread, name)
		}
	}
	slices.Sort(p.Unread)
	return p, nil
}

// textOf is the text of a document: a string, or an object with nothing but text.
func textOf(d rawjson.Value) (string, bool) {
	if text, ok := d.Str(); ok {
		return text, true
	}
	text, members := "", 0
	for name, v := range d.Fields() {
		if members++; name == "text" {
			text, _ = v.Str()
		}
	}
	t, _ := d.Get("text")
	return text, members == 1 && t.Kind() == rawjson.String
}
