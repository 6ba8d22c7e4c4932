package ollama

import (
	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Encode gives the bytes to send to a server of the same dialect: the client's own with
// the model's name changed. Usage comes unasked, and there is no place for tags.
func Encode(req *llm.Request, opt llm.Options) (body rawjson.Segments, lost []string, err error) {
	edit := wire.Edit(req, opt)
	body, err = edit.Segments()
	return body, nil, err
}
