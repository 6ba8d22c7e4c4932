package wire

import (
	"strings"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// tagPrefix is what the names of Fairlead's tags begin with in an object of free strings.
const tagPrefix = "fairlead_"

// IsTag reports whether an entry of an object of free strings is one of Fairlead's tags.
func IsTag(name string) bool { return strings.HasPrefix(name, tagPrefix) }

// ReadTags takes the tags that a client put into an object of free strings, for SDKs
// where a header is hard to reach. Field is what the dialect calls the object.
func ReadTags(req *llm.Request, object rawjson.Value, field string) error {
	for name, value := range object.Fields() {
		tag, ours := strings.CutPrefix(name, tagPrefix)
		if !ours {
			continue
		}
		at := field + "." + name
		text, isStr := value.Str()
		if !isStr {
			return Invalid(at, at+" must be a string")
		}
		if err := req.Tags.Set(strings.ReplaceAll(tag, "_", "-"), text); err != nil {
			e := llm.AsError(err)
			e.Message, e.Param = at+": "+e.Message, at
			return e
		}
	}
	return nil
}

// DropTags takes Fairlead's own entries out of a body's object of free strings, and the
// object itself when nothing else was in it. It reports whether there were any.
func DropTags(req *llm.Request, edit *rawjson.Edits, field string) (found bool) {
	object, _ := req.Doc.Get(field)
	var ours []string
	others := 0
	for name := range object.Fields() {
		if IsTag(name) {
			ours = append(ours, name)
		} else {
			others++
		}
	}
	if len(ours) > 0 && others == 0 {
		edit.Delete(field)
		return true
	}
	for _, name := range ours {
		edit.Delete(field, name)
	}
	return len(ours) > 0
}

// WithoutTags is an object of free strings without Fairlead's own; nil where nothing is
// left. The map is changed.
func WithoutTags(free map[string]string) map[string]string {
	for name := range free {
		if IsTag(name) {
			delete(free, name)
		}
	}
	if len(free) == 0 {
		return nil
	}
	return free
}
