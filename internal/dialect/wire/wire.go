// Package wire is what the codecs' wire formats share: checks of a request's fields,
// errors that name them, bounds of an upstream's texts, and the few values that all of
// them write alike.
//
// It answers: is this body an object whose fields are of the right kind, which field was
// wrong, which tags does it carry, and what does an upstream's status mean. It must not
// know which dialect is spoken: what a dialect calls a field comes as an argument, and
// where two dialects differ each keeps its own. Nor does it know the error body of
// OpenAI's dialects, which is openaierr's. Start reading at Object and CheckFields for
// requests, at Refusal for what upstreams answer.
package wire

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// Object checks a client's body, which must be a JSON object. The body is kept, not
// copied.
func Object(body []byte, limits rawjson.Limits) (rawjson.Doc, error) {
	doc, err := rawjson.Check(body, limits)
	if err != nil {
		return doc, BadJSON(err)
	}
	if doc.Root().Kind() != rawjson.Object {
		return doc, Invalid("", "the body must be a JSON object")
	}
	return doc, nil
}

// Kinds is a set of JSON kinds that a field may have; null is always allowed, as the
// SDKs send it for "not set".
type Kinds []rawjson.Kind

func (k Kinds) String() string {
	names := make([]string, len(k))
	for i, kind := range k {
		names[i] = kind.String()
	}
	return strings.Join(names, " or ")
}

// CheckFields checks the kinds of a body's fields, as far as they are known. Any other
// field may be anything.
func CheckFields(doc *rawjson.Doc, known map[string]Kinds) error {
	for name, value := range doc.Members() {
		if want, ok := refused(name, value, known); ok {
			return WrongType(name.String(), want, value)
		}
	}
	return nil
}

// CheckWithin is CheckFields for an object within the body. Within is where that stands,
// such as "options.".
func CheckWithin(within string, object rawjson.Value, known map[string]Kinds) error {
	for name, value := range object.Members() {
		if want, ok := refused(name, value, known); ok {
			return WrongType(within+name.String(), want, value)
		}
	}
	return nil
}

// refused reports whether a field is of a kind that it must not have, and what it may have.
func refused(name rawjson.Name, value rawjson.Value, known map[string]Kinds) (want Kinds, refused bool) {
	want, ok := known[string(name)] // as it stands, which spares a string for each
	if !ok {
		want, ok = known[name.String()]
	}
	return want, ok && value.Kind() != rawjson.Null && !slices.Contains(want, value.Kind())
}

// Count reads a number that says how many, such as the most tokens of an answer.
func Count(v rawjson.Value, field string) (int64, error) {
	n, whole := v.Int()
	if !whole || n < 0 {
		return 0, Invalid(field, field+" must be a whole number, 0 or more")
	}
	return n, nil
}

// MaxModel bounds a model's name in bytes.
const MaxModel = 256

// Model reads the name of the model that a body asks for. Unnamed is the message where
// there is none.
func Model(doc *rawjson.Doc, unnamed string) (string, error) {
	v, _ := doc.Get("model")
	name, _ := v.Str()
	if name == "" {
		return "", Missing("model", unnamed)
	}
	return name, CheckModel(name)
}

// CheckModel checks the length of a model's name.
func CheckModel(name string) error {
	if len(name) > MaxModel {
		return Invalid("model", "model must be at most 256 bytes long")
	}
	return nil
}

// Unnamed is the message for a request without a model, where the client can ask for the
// list.
const Unnamed = "model is missing; GET /v1/models lists what can be asked for"

// Edit begins the changes to a client's body that goes to an upstream of the same
// dialect: it names the target's model.
func Edit(req *llm.Request, opt llm.Options) rawjson.Edits {
	edit := req.Doc.Edit()
	if opt.Model != req.Model {
		edit.Set(rawjson.AppendString(nil, opt.Model), "model")
	}
	return edit
}
