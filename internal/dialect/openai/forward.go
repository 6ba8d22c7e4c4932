package openai

import (
	"errors"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/dialect/wire"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawform"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// The forwarded surfaces: moderations, audio and images. Of a request the model and
// whether a stream is wanted are read, and the model is changed; all else travels on.

// takesForm and takesJSON say what body a forwarded surface has.
var (
	takesForm = map[llm.Surface]bool{llm.Transcriptions: true, llm.Translations: true, llm.ImageEdits: true, llm.ImageVariations: true}
	takesJSON = map[llm.Surface]bool{llm.Moderations: true, llm.Speech: true, llm.Images: true, llm.ImageEdits: true}
)

// decodeForwarded reads a request of a forwarded surface.
func decodeForwarded(in llm.Incoming) (*llm.Request, error) {
	req := &llm.Request{Surface: in.Surface, Dialect: Name, Body: in.Body, Needs: in.Surface.Needed()}
	form := rawform.IsForm(in.ContentType)
	switch {
	case form && takesForm[in.Surface]:
		return req, readForm(req, in.ContentType)
	case form:
		return nil, wire.Invalid("", "this endpoint takes a JSON body, not "+rawform.MediaType)
	case !takesJSON[in.Surface]:
		return nil, wire.Invalid("", "this endpoint takes a body of "+rawform.MediaType+"; the Content-Type is "+strconv.Quote(in.ContentType))
	}
	return req, readForwarded(req, in.Limits)
}

// readForwarded reads a JSON body.
func readForwarded(req *llm.Request, limits rawjson.Limits) (err error) {
	if req.Doc, err = wire.Object(req.Body, limits); err != nil {
		return err
	}
	if err := wire.CheckFields(&req.Doc, fieldKinds[req.Surface]); err != nil {
		return err
	}
	if v, ok := req.Doc.Get("model"); !ok || v.Kind() == rawjson.Null {
		return noModel()
	}
	if req.Model, err = wire.Model(&req.Doc, wire.Unnamed); err != nil {
		return err
	}
	if v, ok := req.Doc.Get("stream"); ok {
		req.Stream, _ = v.Bool()
	}
	if v, ok := req.Doc.Get("stream_format"); ok {
		req.Stream = equals(v, "sse")
	}
	if err := requireInput(req); err != nil {
		return err
	}
	return readTags(req)
}

// noModel refuses to guess where OpenAI has a default: which account and which price
// would it be?
func noModel() error {
	return wire.Missing("model", "model is missing, and there is no default here: name a model or a target; GET /v1/models lists what can be asked for")
}

// readForm reads a form.
func readForm(req *llm.Request, contentType string) error {
	form, err := rawform.Check(contentType, req.Body)
	if err != nil {
		return badForm("", err)
	}
	req.Form = &form
	name, ok, err := form.Text("model")
	switch {
	case err != nil:
		return badForm("model", err)
	case !ok || name == "":
		return noModel()
	}
	if err := wire.CheckModel(name); err != nil {
		return err
	}
	req.Model = name
	stream, _, err := form.Text("stream")
	if err != nil {
		return badForm("stream", err)
	}
	req.Stream, _ = strconv.ParseBool(strings.ToLower(stream)) // what is no bool is for the upstream to judge
	return nil
}

func badForm(param string, err error) error {
	message := "the form was refused: " + strings.TrimPrefix(err.Error(), rawform.ErrForm.Error()+": ")
	if errors.Is(err, rawform.ErrForm) && param == "" {
		message = "the body is " + err.Error()
	}
	return &llm.Error{Kind: llm.Invalid, Param: param, Code: "invalid_form", Message: message, Err: err}
}

// encodeForwarded gives the client's body with the target's model in it.
func encodeForwarded(req *llm.Request, opt llm.Options) (rawjson.Segments, []string, error) {
	if req.Form != nil {
		if opt.Model == req.Model {
			return rawjson.Segments{req.Body}, nil, nil
		}
		pieces, err := req.Form.Set("model", opt.Model)
		return pieces, nil, err
	}
	edit := wire.Edit(req, opt)
	wire.DropTags(req, &edit, "metadata")
	body, err := edit.Segments()
	return body, nil, err
}
