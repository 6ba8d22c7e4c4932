package openai

import (
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

var jsonTrue = []byte("true")

// Encode gives the bytes to send to an upstream of the same dialect: the client's
// own with only the edited fields changed, and the fields that were lost. The
// client's slice is not written to; the result's pieces share its bytes.
func Encode(req *llm.Request, opt llm.Options) (body rawjson.Segments, loss []string, err error) {
	if req.Surface.Forwarded() {
		return encodeForwarded(req, opt)
	}
	edit := req.Doc.Edit()
	if opt.Model != req.Model {
		edit.Set(rawjson.AppendString(nil, opt.Model), "model")
	}
	if req.Stream && opt.AskUsage && !req.StreamUsage {
		edit.Set(jsonTrue, "stream_options", "include_usage")
	}
	dropTags(req, &edit)
	if useGrammar(req, opt) {
		if loss, err = encodeGrammar(req, &edit); err != nil {
			return nil, nil, err
		}
	}
	body, err = edit.Segments()
	return body, loss, err
}

// dropTags takes Fairlead's own entries out of the metadata object, and the object
// itself when nothing else was in it.
func dropTags(req *llm.Request, edit *rawjson.Edits) {
	metadata, ok := req.Doc.Get("metadata")
	if !ok || metadata.Kind() != rawjson.Object {
		return
	}
	var ours []string
	others := 0
	for name := range metadata.Fields() {
		if strings.HasPrefix(name, metadataPrefix) {
			ours = append(ours, name)
		} else {
			others++
		}
	}
	if len(ours) > 0 && others == 0 {
		edit.Delete("metadata")
		return
	}
	for _, name := range ours {
		edit.Delete("metadata", name)
	}
}
