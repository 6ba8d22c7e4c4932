package strict

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/money"
)

var (
	durationType    = reflect.TypeFor[time.Duration]()
	timeType        = reflect.TypeFor[time.Time]()
	amountType      = reflect.TypeFor[money.Amount]()
	scalarType      = reflect.TypeFor[Scalar]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// field is one setting of a struct, as its tags say.
type field struct {
	index    int
	name     string // "" for the key and value of an entry
	doc      string
	required string // what to write when it is missing
	enum     []string
	min, max string
	pattern  *regexp.Regexp
}

type fields []field

// fieldsOf reads the tags of a struct type. Fields without a yaml name are not
// settings.
func fieldsOf(t reflect.Type) fields {
	var all fields
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		all = append(all, newField(i, name, sf.Tag))
	}
	return all
}

func newField(i int, name string, tag reflect.StructTag) field {
	f := field{index: i, name: name, doc: tag.Get("doc"), required: tag.Get("required"), min: tag.Get("min"), max: tag.Get("max")}
	if list := tag.Get("enum"); list != "" {
		f.enum = strings.Split(list, ",")
	}
	if p := tag.Get("pattern"); p != "" {
		f.pattern = regexp.MustCompile(p)
	}
	return f
}

func (fs fields) find(name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (fs fields) names() []string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.name
	}
	return names
}

// isEntries reports a slice that a mapping of names is read into.
func isEntries(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
		return false
	}
	name, _ := entryFields(t.Elem())
	return name.index >= 0
}

// entryFields gives the field that holds an entry's name and, where its value is
// one scalar, the field of that; index is -1 where there is none.
func entryFields(t reflect.Type) (name, value field) {
	name, value = field{index: -1}, field{index: -1}
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		switch tag.Get("yaml") {
		case ",key":
			name = newField(i, "", tag)
		case ",value":
			value = newField(i, "", tag)
		}
	}
	return name, value
}

// formOf gives the form of a scalar type; ok is false for mappings and lists.
func formOf(t reflect.Type, f field) (form Form, ok bool) {
	switch {
	case isScalarType(t):
		return reflect.Zero(t).Interface().(Scalar).Form(), true //nolint:forcetypeassert // isScalarType asked
	case t == durationType:
		return Form{Wants: "a duration such as 30s or 5m", Schema: map[string]any{
			"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`,
		}}, true
	case t == timeType:
		return Form{Wants: "a day such as 2027-01-31 or a moment such as 2027-01-31T12:00:00Z", Schema: map[string]any{
			"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$`,
		}}, true
	case t == amountType:
		return Form{Wants: "an amount such as 2.95", Numbers: true, Schema: map[string]any{"anyOf": []any{
			map[string]any{"type": "number"},
			map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?$`},
		}}}, true
	case t.Kind() == reflect.String:
		return Form{Wants: textWants(f), Schema: map[string]any{"type": "string", "minLength": 1}}, true
	case t.Kind() == reflect.Bool:
		return Form{Wants: "true or false", Schema: map[string]any{"type": "boolean"}}, true
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		return Form{Wants: "a whole number", Numbers: true, Schema: map[string]any{"type": "integer"}}, true
	}
	return Form{}, false
}

func textWants(f field) string {
	if f.enum != nil {
		return "text, one of " + strings.Join(f.enum, ", ")
	}
	return "text"
}

func isScalarType(t reflect.Type) bool { return t.Implements(scalarType) }

// wants says what a value of the type looks like.
func wants(t reflect.Type, f field) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if form, ok := formOf(t, f); ok {
		return form.Wants
	}
	switch {
	case t.Kind() == reflect.Struct:
		return "settings, each as name: value"
	case isEntries(t):
		return "names, each with its settings, as name: value"
	case t.Elem().Kind() == reflect.String:
		return "a list such as [one, two]"
	}
	return "a list with a dash before each entry"
}

// checkRange holds a number against the field's min and max, and a text against
// its pattern.
func (f field) checkRange(v reflect.Value) error {
	if v.Kind() == reflect.String && f.pattern != nil && !f.pattern.MatchString(v.String()) {
		return fmt.Errorf("cannot be used: begin with a letter or digit, go on with those and . _ - + : / @, at most 128 in all")
	}
	if !v.CanInt() || f.min == "" {
		return nil
	}
	low, high := bound(f.min), bound(f.max)
	if n := v.Int(); n < low || n > high {
		return fmt.Errorf("must be from %s to %s", show(v, low), show(v, high))
	}
	return nil
}

func bound(tag string) int64 {
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("strict: the tag %q is not a number", tag)) // a mistake in our own types
	}
	return n
}

// show writes a bound the way the type writes itself.
func show(v reflect.Value, n int64) string {
	same := reflect.New(v.Type()).Elem()
	same.SetInt(n)
	if s, ok := reflect.TypeAssert[fmt.Stringer](same); ok {
		return s.String()
	}
	return strconv.FormatInt(n, 10)
}

// maxDuration is far above any timeout: more is a mistake.
const maxDuration = 30 * 24 * time.Hour

func setDuration(v reflect.Value, text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return errors.New("is not a duration: write one with its unit, such as 500ms, 30s or 5m")
	case d <= 0:
		return errors.New("must be more than 0, such as 30s")
	case d > maxDuration:
		return fmt.Errorf("must be at most %d days", maxDuration/(24*time.Hour))
	}
	v.SetInt(int64(d))
	return nil
}

func setTime(v reflect.Value, text string) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			v.Set(reflect.ValueOf(t.UTC()))
			return nil
		}
	}
	return errors.New("is not a time: write a day such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z")
}
