package openai

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
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
	edit := wire.Edit(req, opt)
	if req.Stream && opt.AskUsage && !req.StreamUsage {
		edit.Set(jsonTrue, "stream_options", "include_usage")
	}
	wire.DropTags(req, &edit, "metadata")
	if useGrammar(req, opt) {
		if loss, err = encodeGrammar(req, &edit); err != nil {
			return nil, nil, err
		}
	}
	body, err = edit.Segments()
	return body, loss, err
}
