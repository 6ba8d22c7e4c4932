// Package rawform answers where a field stands in the bytes of a multipart/form-data
// body (RFC 7578), and changes one field without touching the others.
//
// It is to forms what rawjson is to JSON: the bytes that were checked are the bytes
// that are sent, so it takes only what every reader takes alike. Line ends are CRLF,
// nothing stands before the first part or behind the last, headers are not folded,
// and a boundary is nowhere but between parts. It knows no HTTP and no field's
// meaning. Start reading at Check.
package rawform

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strings"
)

// MediaType is what the content type of a form begins with.
const MediaType = "multipart/form-data"

// The bounds of a form, far above those of any client library.
const (
	maxParts    = 1000
	maxHeader   = 8 << 10 // bytes of one part's headers
	maxBoundary = 70      // RFC 2046, 5.1.1
)

// ErrForm is matched by all errors of Check.
var ErrForm = errors.New("not a well-formed multipart/form-data body")

// Form is a checked form. It keeps the bytes that it was made from.
type Form struct {
	body     []byte
	boundary string
	parts    []part
}

// A part of the body: its headers begin at start, its value at value and ends at end.
type part struct {
	name              string
	file, coded       bool // it has a filename; its value is in a transfer encoding
	start, value, end int
}

// IsForm reports whether a content type is that of a form.
func IsForm(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), MediaType)
}

// Check finds the parts of a body whose content type is given. The body is kept.
func Check(contentType string, body []byte) (Form, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return Form{}, err
	}
	f := Form{body: body, boundary: boundary}
	return f, f.scan()
}

// ContentType is that of the form, with its boundary and nothing else.
func (f *Form) ContentType() string {
	return mime.FormatMediaType(MediaType, map[string]string{"boundary": f.boundary})
}

// Has reports whether there is a field of this name.
func (f *Form) Has(name string) bool {
	for i := range f.parts {
		if f.parts[i].name == name {
			return true
		}
	}
	return false
}

// Text is the value of a field that may be there once, as text.
func (f *Form) Text(name string) (value string, ok bool, err error) {
	p, err := f.one(name)
	if p == nil || err != nil {
		return "", false, err
	}
	return string(f.body[p.value:p.end]), true, nil
}

// Set gives the form with another value, one line of text, for a field that is there
// once: the pieces of its body. The new part stands between bytes of the form's own.
func (f *Form) Set(name, value string) ([][]byte, error) {
	p, err := f.one(name)
	switch {
	case p == nil || err != nil:
		return [][]byte{f.body}, err
	case strings.ContainsAny(value, "\r\n"):
		return nil, malformed("the field %q must be one line", name)
	}
	head := `Content-Disposition: form-data; name="` + quote.Replace(p.name) + "\"\r\n\r\n"
	return [][]byte{f.body[:p.start], []byte(head + value), f.body[p.end:]}, nil
}

// quote writes a quoted-string (RFC 9110, 5.6.4).
var quote = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// one is the only part of a name, nil if there is none.
func (f *Form) one(name string) (found *part, err error) {
	for i := range f.parts {
		p := &f.parts[i]
		switch {
		case p.name != name:
		case found != nil:
			return nil, malformed("the field %q is there twice", name)
		case p.file || p.coded:
			return nil, malformed("the field %q must be plain text, without a filename or a transfer encoding", name)
		default:
			found = p
		}
	}
	return found, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrForm}, args...)...)
}

func boundaryOf(contentType string) (string, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", malformed("its Content-Type cannot be read: %v", err)
	}
	b := params["boundary"]
	switch {
	case b == "":
		return "", malformed("its Content-Type names no boundary; let your HTTP library set that header")
	case len(b) > maxBoundary, strings.HasSuffix(b, " "), strings.Trim(b, boundaryChars) != "":
		return "", malformed("the boundary of its Content-Type is not one that RFC 2046 allows")
	}
	return b, nil
}

const boundaryChars = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? "

var crlf = []byte("\r\n")

// scan finds the parts.
func (f *Form) scan() error {
	mark := []byte("--" + f.boundary)
	delimiter := append([]byte("\r\n"), mark...)
	rest, ok := bytes.CutPrefix(bytes.TrimPrefix(f.body, crlf), mark)
	if !ok {
		return malformed("it does not begin with the boundary %q that its Content-Type names", f.boundary)
	}
	for {
		at := len(f.body) - len(rest)
		if tail, ok := bytes.CutPrefix(rest, []byte("--")); ok {
			return f.finish(tail)
		}
		rest = bytes.TrimLeft(rest, " \t")
		if rest, ok = bytes.CutPrefix(rest, crlf); !ok {
			return malformed("at byte %d a boundary is followed by something else", at)
		}
		if len(f.parts) == maxParts {
			return malformed("it has more than %d parts", maxParts)
		}
		p := part{start: len(f.body) - len(rest)}
		if err := p.head(rest); err != nil {
			return err
		}
		data := f.body[p.value:]
		n := bytes.Index(data, delimiter)
		switch {
		case bytes.HasPrefix(data, mark):
			return malformed("the field %q has no value", p.name)
		case n < 0:
			return malformed("it ends within the field %q", p.name)
		}
		p.end = p.value + n
		f.parts = append(f.parts, p)
		rest = data[n+len(delimiter):]
	}
}

// finish looks at what stands behind the last boundary.
func (f *Form) finish(tail []byte) error {
	switch {
	case len(bytes.TrimSpace(tail)) > 0:
		return malformed("%d bytes stand behind its end", len(tail))
	case len(f.parts) == 0:
		return malformed("it has no parts")
	}
	return nil
}

// head reads a part's headers from what follows its boundary.
func (p *part) head(rest []byte) error {
	at := p.start
	for {
		n := bytes.Index(rest[:min(len(rest), maxHeader)], crlf)
		if n < 0 || at-p.start > maxHeader {
			return malformed("the headers of the part at byte %d have no end within %d bytes", p.start, maxHeader)
		}
		line := rest[:n]
		rest, at = rest[n+len(crlf):], at+n+len(crlf)
		if n == 0 {
			break
		}
		if err := p.header(line); err != nil {
			return err
		}
	}
	if p.name == "" {
		return malformed("the part at byte %d has no Content-Disposition: form-data with a name", p.start)
	}
	p.value = at
	return nil
}

func (p *part) header(line []byte) error {
	name, value, ok := strings.Cut(string(line), ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(value, "\r\n\x00") {
		return malformed("the part at byte %d has a header that cannot be read", p.start)
	}
	value = strings.TrimSpace(value)
	switch strings.ToLower(name) {
	case "content-disposition":
		return p.disposition(value)
	case "content-transfer-encoding":
		switch strings.ToLower(value) {
		case "7bit", "8bit", "binary":
		default:
			p.coded = true
		}
	}
	return nil
}

func (p *part) disposition(value string) error {
	kind, params, err := mime.ParseMediaType(value)
	switch {
	case err != nil:
		return malformed("the Content-Disposition of the part at byte %d cannot be read: %v", p.start, err)
	case p.name != "":
		return malformed("the part at byte %d has two Content-Dispositions", p.start)
	case kind != "form-data" || params["name"] == "":
		return malformed("the part at byte %d has no Content-Disposition: form-data with a name", p.start)
	case namedTwice(value):
		return malformed("the part at byte %d has its name in a form that readers differ on: write name=\"…\"", p.start)
	}
	p.name = params["name"]
	_, p.file = params["filename"]
	return nil
}

// namedTwice reports whether a name is given in the extended form of RFC 2231, which
// RFC 7578 (4.2) forbids: some readers take it and others do not.
func namedTwice(value string) bool {
	for _, param := range strings.Split(value, ";")[1:] {
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(param)), "name*") {
			return true
		}
	}
	return false
}
