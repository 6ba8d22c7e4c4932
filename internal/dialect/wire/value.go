package wire

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
)

// Unread lists, in their order, the fields that a dialect has no neutral word for, but
// for harmless ones: those that only their own provider could act upon and whose absence
// changes nothing of the answer. Within is where they stand, such as "tools."; null says
// nothing.
func Unread(extra map[string]jsontext.Value, within string, harmless ...string) (names []string) {
	for name, value := range extra {
		if value.Kind() != 'n' && !slices.Contains(harmless, name) {
			names = append(names, within+name)
		}
	}
	slices.Sort(names)
	return names
}

// NotNull is a value, nil where it is absent or null.
func NotNull(v jsontext.Value) []byte {
	if len(v) == 0 || v.Kind() == 'n' {
		return nil
	}
	return v
}

// ReadURL reads an address that may be a data: URL (RFC 2397).
func ReadURL(url string) *llm.Media {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return &llm.Media{URL: url}
	}
	kind, data, _ := strings.Cut(rest, ",")
	return &llm.Media{MIME: strings.TrimSuffix(kind, ";base64"), Base64: data}
}

// WriteURL is the address of a medium, a data: URL where its bytes are here. Usual is
// the media type of one that does not tell.
func WriteURL(m *llm.Media, usual string) string {
	if m.Base64 == "" {
		return m.URL
	}
	kind := m.MIME
	if kind == "" {
		kind = usual
	}
	return "data:" + kind + ";base64," + m.Base64
}
