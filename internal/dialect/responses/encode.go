package responses

import (
	"bytes"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Encode gives the bytes to send to an upstream of the same dialect: the client's own
// with only the edited fields changed, and the fields that were lost. The client's
// slice is not written to.
func Encode(req *llm.Request, opt llm.Options) (body []byte, lost []string, err error) {
	edit := req.Doc.Edit()
	if opt.Model != req.Model {
		edit.Set(rawjson.AppendString(nil, opt.Model), "model")
	}
	dropTags(req, &edit)
	if bytes.Contains(req.Body, []byte(`"`+carriedPrefix)) {
		if input, dropped := withoutCarried(req); dropped {
			edit.Set(input, "input")
			lost = []string{Names[llm.FieldSignature]}
		}
	}
	body, err = edit.Apply()
	return body, lost, err
}

// dropTags takes Fairlead's own entries out of the metadata object, and the object
// itself when nothing else was in it.
func dropTags(req *llm.Request, edit *rawjson.Edits) {
	metadata, _ := req.Doc.Get("metadata")
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

// withoutCarried is the input without the thought that another provider signed and that
// only travelled through this client: to this one it would be a forgery.
func withoutCarried(req *llm.Request) (input []byte, dropped bool) {
	items, _ := req.Doc.Get("input")
	input = append(input, '[')
	for it := range items.Items() {
		if sealed, _ := it.Get("encrypted_content"); isCarried(sealed) {
			dropped = true
			continue
		}
		if len(input) > 1 {
			input = append(input, ',')
		}
		input = append(input, it.Raw()...)
	}
	return append(input, ']'), dropped
}
