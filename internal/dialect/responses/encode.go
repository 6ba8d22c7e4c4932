package responses

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Encode gives the bytes to send to an upstream of the same dialect: the client's own
// with only the edited fields changed, and the fields that were lost. The client's
// slice is not written to.
func Encode(req *llm.Request, opt llm.Options) (body rawjson.Segments, lost []string, err error) {
	edit := wire.Edit(req, opt)
	wire.DropTags(req, &edit, "metadata")
	if bytes.Contains(req.Body, []byte(`"`+carriedPrefix)) || bytes.Contains(req.Body, []byte(`"`+reasoningID)) {
		var input []byte
		if input, lost = withoutForeign(req); len(lost) > 0 {
			edit.Set(input, "input")
		}
	}
	body, err = edit.Segments()
	return body, lost, err
}

// withoutForeign is the input without the thought of other providers' models, which only
// travelled through this client: a provider refuses what another signed, and what it
// does not find under its id.
func withoutForeign(req *llm.Request) (input []byte, lost []string) {
	var fields llm.Losses
	items, _ := req.Doc.Get("input")
	input = append(input, '[')
	for it := range items.Items() {
		kind, _ := it.Get("type")
		id, _ := it.Get("id")
		sealed, _ := it.Get("encrypted_content")
		switch {
		case isCarried(sealed):
			fields.Add(llm.FieldSignature)
			continue
		case (kind.Is(typeReasoning) || kind.Is(typeReference)) && isOurs(id) && sealed.Kind() != rawjson.String:
			fields.Add(llm.FieldReasoning)
			continue
		}
		if len(input) > 1 {
			input = append(input, ',')
		}
		input = append(input, it.Raw()...)
	}
	for _, f := range fields {
		name, ok := Names[f]
		if !ok {
			name = string(f)
		}
		lost = append(lost, name)
	}
	return append(input, ']'), lost
}
