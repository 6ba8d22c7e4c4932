package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// BadJSON turns an error of rawjson.Check into one for the client.
func BadJSON(err error) error {
	e := &llm.Error{Kind: llm.Invalid, Code: "invalid_json", Err: err}
	switch {
	case errors.Is(err, rawjson.ErrDuplicate), errors.Is(err, rawjson.ErrDepth):
		e.Message = "the body was refused: " + err.Error()
	default:
		e.Message = "the body is not valid JSON: " + err.Error()
	}
	return e
}

// Invalid is the error for a field that is not as it must be.
func Invalid(param, message string) error {
	return &llm.Error{Kind: llm.Invalid, Param: param, Message: message}
}

// Missing is the error for a field that a request cannot do without.
func Missing(param, message string) error {
	return &llm.Error{Kind: llm.Invalid, Param: param, Code: "missing_required_parameter", Message: message}
}

// Unsupported is the error for a field that a target of the dialect cannot be told.
func Unsupported(param, message string) error {
	return &llm.Error{Kind: llm.Unsupported, Param: param, Message: message}
}

// BadField turns an error of the JSON library into one that names the field.
func BadField(err error) error {
	e := &llm.Error{Kind: llm.Invalid, Code: "invalid_type", Err: err, Message: "a field of the request has the wrong type"}
	if at, ok := err.(*json.SemanticError); ok { //nolint:errorlint // returned as it is, never wrapped
		e.Param = strings.ReplaceAll(strings.TrimPrefix(string(at.JSONPointer), "/"), "/", ".")
		e.Message = e.Param + " has the wrong type: a " + at.JSONKind.String() + " cannot stand here"
	}
	return e
}

// WrongType is the error for a field of another kind than it must have.
func WrongType(field string, want Kinds, got rawjson.Value) error {
	return &llm.Error{Kind: llm.Invalid, Param: field, Code: "invalid_type",
		Message: fmt.Sprintf("%s must be %s, got %s", field, want, got.Kind())}
}
