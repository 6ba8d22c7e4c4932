package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/pelletier/go-toml/v2"

	"github.com/fairlead/fairlead/internal/money"
)

// MaxUsageBody bounds an answer that Usage reads.
const MaxUsageBody = 16 << 20

// flavor is a file of flavors/: where the counts of one API's answers stand.
type flavor struct {
	Name  string `toml:"name"`
	Root  string `toml:"root"`  // path of the object that holds the counts
	Model string `toml:"model"` // path of the model's name
	Reads []read `toml:"read"`
	// Source is the publisher's description of the fields.
	Source string `toml:"source"`
	Date   string `toml:"date"`

	root, model pathTo
}

// read takes one number. Paths are alternatives, the first that is there counts.
// Into are the fields of money.Inclusive that it is added to.
type read struct {
	Paths    []string `toml:"paths"`
	Into     []string `toml:"into"`
	Required bool     `toml:"required"`

	paths []pathTo
}

// pathTo is a way through JSON: names of members, and "[name=text]" for the element
// of an array whose member says so.
type pathTo []segment

type segment struct{ name, equals string }

func parsePath(text string) (pathTo, error) {
	var p pathTo
	for part := range strings.SplitSeq(text, ".") {
		name, pick, picks := strings.Cut(part, "[")
		if name == "" {
			return nil, fmt.Errorf("path %q: an empty name", text)
		}
		p = append(p, segment{name: name})
		if !picks {
			continue
		}
		field, equals, ok := strings.Cut(strings.TrimSuffix(pick, "]"), "=")
		if !ok || !strings.HasSuffix(pick, "]") {
			return nil, fmt.Errorf("path %q: pick an element like [modality=AUDIO]", text)
		}
		p = append(p, segment{name: field, equals: equals})
	}
	return p, nil
}

// slot is the field of money.Inclusive that a data file names.
func slot(n *money.Inclusive, name string) *int64 {
	switch name {
	case "prompt":
		return &n.Prompt
	case "cached":
		return &n.Cached
	case "cache_write":
		return &n.CacheWrite
	case "cache_write_1h":
		return &n.CacheWrite1h
	case "audio":
		return &n.Audio
	case "audio_cached":
		return &n.AudioCached
	case "image":
		return &n.Image
	case "image_cached":
		return &n.ImageCached
	case "completion":
		return &n.Completion
	case "reasoning":
		return &n.Reasoning
	case "audio_out":
		return &n.AudioOut
	case "image_out":
		return &n.ImageOut
	case "total":
		return &n.Total
	case "searches":
		return &n.Searches
	}
	return nil
}

func (c *Catalog) addFlavor(file string, text []byte) error {
	f := &flavor{}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(f); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := f.compile(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if f.Name+".toml" != file {
		return fmt.Errorf("%s: name is %q: name the file after it", file, f.Name)
	}
	c.flavors[f.Name] = f
	return nil
}

func (f *flavor) compile() (err error) {
	if f.root, err = parsePath(f.Root); err != nil {
		return err
	}
	if f.model, err = parsePath(f.Model); err != nil {
		return err
	}
	if len(f.Reads) == 0 || f.Source == "" || f.Date == "" {
		return errors.New("reads, source and date are required")
	}
	for i := range f.Reads {
		r := &f.Reads[i]
		for _, into := range r.Into {
			if slot(&money.Inclusive{}, into) == nil {
				return fmt.Errorf("into %q: no such count", into)
			}
		}
		for _, text := range r.Paths {
			p, err := parsePath(text)
			if err != nil {
				return err
			}
			r.paths = append(r.paths, p)
		}
	}
	return nil
}

// Flavors lists the API flavours whose usage can be read for a provider: its own
// names first, then the names that all providers share.
func (c *Catalog) Flavors(provider string) []string {
	var own []string
	if p, ok := c.billedBy(provider); ok {
		own = slices.Sorted(maps.Keys(p.Prices.Flavors))
	}
	for _, name := range slices.Sorted(maps.Keys(c.flavors)) {
		if !slices.Contains(own, name) {
			own = append(own, name)
		}
	}
	return own
}

// sharedFlavors are short names that every provider understands, for gateways that
// serve others' APIs.
func sharedFlavor(name string) string {
	switch name {
	case "chat", "default", "completions":
		return "openai-chat"
	case "responses":
		return "openai-responses"
	case "embeddings":
		return "openai-embeddings"
	}
	return name
}

// ErrFlavor is wrapped by errors about a flavour that no one here can read.
var ErrFlavor = errors.New("not known")

func (c *Catalog) flavor(provider, name string) (*flavor, error) {
	file := ""
	if p, ok := c.billedBy(provider); ok {
		file = p.Prices.Flavors[name]
	}
	if file == "" {
		file = sharedFlavor(name)
	}
	if f, ok := c.flavors[file]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("flavour %.40q of provider %.40q is %w: one of %s",
		name, provider, ErrFlavor, strings.Join(c.Flavors(provider), ", "))
}

// Usage reads the token counts of an answer, or of a bare usage object, in disjoint
// classes, and the name of the model that answered ("" where the body has none).
// Errors: a flavour that is not known, broken JSON or a repeated name, a body over
// MaxUsageBody, a required count that is missing, and counts that are negative, not
// whole, absurd or in contradiction.
func (c *Catalog) Usage(provider, flavor string, body []byte) (string, money.Tokens, error) {
	f, err := c.flavor(provider, flavor)
	if err != nil {
		return "", money.Tokens{}, err
	}
	if len(body) > MaxUsageBody {
		return "", money.Tokens{}, fmt.Errorf("body of %d bytes: at most %d", len(body), MaxUsageBody)
	}
	if err := whole(body); err != nil {
		return "", money.Tokens{}, fmt.Errorf("body is not one JSON value: %w", err)
	}
	return f.usage(body)
}

// whole checks that body is one JSON value without repeated names.
func whole(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if err := dec.SkipValue(); err != nil {
		return err
	}
	if rest := bytes.TrimSpace(body[dec.InputOffset():]); len(rest) > 0 {
		return errors.New("more follows after it")
	}
	return nil
}

func (f *flavor) usage(body []byte) (string, money.Tokens, error) {
	answer := object(body)
	root := answer
	if v, ok := f.root.find(answer); ok && v.Kind() == '{' {
		root = object(v)
	} // else a bare usage object
	var n money.Inclusive
	found := false
	for _, r := range f.Reads {
		value, ok, err := r.number(root)
		if err != nil {
			return "", money.Tokens{}, err
		}
		if !ok && r.Required {
			return "", money.Tokens{}, fmt.Errorf("no %s.%s in the body: is %q its flavour?", f.Root, r.Paths[0], f.Name)
		}
		found = found || ok
		for _, into := range r.Into {
			// Bounded values and few of them: the sum fits.
			*slot(&n, into) += value
		}
	}
	if !found {
		return "", money.Tokens{}, fmt.Errorf("no counts at %s in the body: is %q its flavour?", f.Root, f.Name)
	}
	t, err := money.FromInclusive(n)
	if err != nil {
		return "", money.Tokens{}, err
	}
	return f.modelName(answer), t, nil
}

func (f *flavor) modelName(answer members) string {
	value, ok := f.model.find(answer)
	if !ok || value.Kind() != '"' {
		return ""
	}
	var name string
	if err := json.Unmarshal(value, &name); err != nil {
		return ""
	}
	return name
}

// number is the first of the paths that holds something. Null counts as absent.
func (r read) number(root members) (int64, bool, error) {
	for i, p := range r.paths {
		value, ok := p.find(root)
		if !ok || value.Kind() == 'n' {
			continue
		}
		n, err := count(value)
		if err != nil {
			return 0, false, fmt.Errorf("%s: %w", r.Paths[i], err)
		}
		return n, true, nil
	}
	return 0, false, nil
}

// count reads a whole number between 0 and money.MaxTokens; "12.0" is one.
func count(v jsontext.Value) (int64, error) {
	if v.Kind() != '0' {
		return 0, fmt.Errorf("a count is a number, not %.20s", v)
	}
	whole, fraction, _ := strings.Cut(string(v), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0") != "" || n < 0 || n > money.MaxTokens {
		return 0, fmt.Errorf("a count is a whole number between 0 and %d, not %.40s", int64(money.MaxTokens), v)
	}
	return n, nil
}

// members are those of one JSON object, in order; there are few.
type members []struct {
	name  string
	value jsontext.Value
}

func (m members) get(name string) (jsontext.Value, bool) {
	for _, x := range m {
		if x.name == name {
			return x.value, true
		}
	}
	return nil, false
}

// find follows the path from an object.
func (p pathTo) find(from members) (jsontext.Value, bool) {
	v, ok := from.get(p[0].name)
	for _, s := range p[1:] {
		if !ok {
			return nil, false
		}
		if s.equals == "" {
			v, ok = object(v).get(s.name)
		} else {
			v, ok = element(v, s.name, s.equals)
		}
	}
	return v, ok
}

// object takes a valid JSON object apart; anything else has no members. Values are
// parts of v.
func object(v jsontext.Value) members {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v), jsontext.AllowDuplicateNames(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil
	}
	var all members
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil
		}
		name := tok.String()
		value, err := next(dec, v)
		if err != nil {
			return nil
		}
		all = append(all, struct {
			name  string
			value jsontext.Value
		}{name, value})
	}
	return all
}

// element is the first object of an array whose member name is the string equals.
func element(v jsontext.Value, name, equals string) (jsontext.Value, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v), jsontext.AllowDuplicateNames(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return nil, false
	}
	for dec.PeekKind() != ']' {
		value, err := next(dec, v)
		if err != nil {
			return nil, false
		}
		if got, ok := object(value).get(name); ok && string(got) == strconv.Quote(equals) {
			return value, true
		}
	}
	return nil, false
}

// next reads a value of v; unlike the decoder's own it stays valid.
func next(dec *jsontext.Decoder, v jsontext.Value) (jsontext.Value, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := dec.InputOffset()
	return v[end-int64(len(value)) : end], nil
}
