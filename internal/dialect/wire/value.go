package wire

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
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

// NoItems reports whether a value is no array, or one with nothing in it.
func NoItems(v rawjson.Value) bool {
	for range v.Items() {
		return false
	}
	return true
}

// NoMembers reports whether a value is no object, or one with nothing in it.
func NoMembers(v rawjson.Value) bool {
	for range v.Members() {
		return false
	}
	return true
}

// ReadVector reads an array of numbers.
func ReadVector(list rawjson.Value) (v []float32) {
	for x := range list.Items() {
		f, _ := x.Float()
		v = append(v, float32(f))
	}
	return v
}

// AppendVector writes an array of numbers.
func AppendVector(dst []byte, v []float32) []byte {
	dst = append(dst, '[')
	for i, f := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(f), 'g', -1, 32)
	}
	return append(dst, ']')
}
