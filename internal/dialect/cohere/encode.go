package cohere

import (
	"slices"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Encode gives the bytes of a rerank request for an upstream of the same dialect: the client's
// own with only the edited fields changed. Documents that are objects with a text alone become
// strings, which every upstream takes; that documents are wanted back it need not be told, since
// Answer puts them in.
func Encode(req *llm.Request, opt llm.Options) (body rawjson.Segments, lost []string, err error) {
	edit := wire.Edit(req, opt)
	if back, _ := req.Doc.Get("return_documents"); back.Kind() == rawjson.Bool {
		if wanted, _ := back.Bool(); wanted {
			edit.Delete("return_documents")
		}
	}
	if top, ok := req.Doc.Get("top_n"); ok && slices.Contains(opt.Takes, "rerank_top_k") {
		edit.Set(top.Raw(), "top_k")
		edit.Delete("top_n")
	}
	documents, _ := req.Doc.Get("documents")
	if texts := asTexts(documents); texts != nil {
		edit.Set(texts, "documents")
	}
	body, err = edit.Segments()
	return body, nil, err
}

// asTexts is a list of documents as strings, nil where it is one already or where a document
// is more than a text.
func asTexts(documents rawjson.Value) []byte {
	out, objects := []byte{'['}, false
	for d := range documents.Items() {
		text := d
		if d.Kind() == rawjson.Object {
			objects = true
			if _, ok := textOf(d); !ok {
				return nil
			}
			text, _ = d.Get("text")
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, text.Raw()...)
	}
	if !objects {
		return nil
	}
	return append(out, ']')
}
