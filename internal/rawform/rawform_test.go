package rawform

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"
)

const typ = "multipart/form-data; boundary=b"

// body writes lines with CRLF; an empty last one ends the text with CRLF.
func body(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value
}

func TestCheck_RefusesWhatReadersDifferOn(t *testing.T) {
	t.Parallel()
	const end = "--b--\r\n"
	header := func(h string) []byte { return body("--b", h, "", "v", end) }
	for name, tc := range map[string]struct {
		kind string
		body []byte
		says string
	}{
		"no boundary named":         {"multipart/form-data", body(field("a", "1"), end), "names no boundary"},
		"a boundary that cannot be": {`multipart/form-data; boundary="a\"b"`, body(field("a", "1"), end), "RFC 2046"},
		"a boundary too long":       {"multipart/form-data; boundary=" + strings.Repeat("b", 71), nil, "RFC 2046"},
		"a type that is torn":       {"multipart/form-data; boundary", nil, "cannot be read"},
		"another boundary":          {"multipart/form-data; boundary=c", body(field("a", "1"), end), `boundary "c"`},
		"nothing":                   {typ, nil, "does not begin"},
		"a preamble":                {typ, body("hello", field("a", "1"), end), "does not begin"},
		"no end":                    {typ, body(field("a", "1")), `within the field "a"`},
		"a torn end":                {typ, body(field("a", "1"), "--b-"), "followed by something else"},
		"an epilogue":               {typ, body(field("a", "1"), end+"more"), "behind its end"},
		"no parts":                  {typ, body(end), "no parts"},
		"line feeds alone":          {typ, []byte("--b\nContent-Disposition: form-data; name=\"a\"\n\n1\n--b--\n"), "followed by something else"},
		"a longer boundary within":  {typ, body(field("a", "1"), "--bc", end), "followed by something else"},
		"a value that is missing":   {typ, body(field("a", "")+"--b", "", end), "no value"},
		"headers without an end":    {typ, body("--b", "Content-Disposition: form-data; name=a"), "no end"},
		"headers too long":          {typ, header("X: " + strings.Repeat("x", maxHeader)), "no end"},
		"many headers":              {typ, header(strings.Repeat("X: y\r\n", maxHeader/6) + "X: y"), "no end"},
		"no disposition":            {typ, header("Content-Type: text/plain"), "no Content-Disposition"},
		"no name":                   {typ, header("Content-Disposition: form-data"), "no Content-Disposition"},
		"an attachment":             {typ, header(`Content-Disposition: attachment; name="a"`), "no Content-Disposition"},
		"two dispositions":          {typ, header("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"), "two Content-Dispositions"},
		"two names":                 {typ, header(`Content-Disposition: form-data; name="a"; name="b"`), "cannot be read"},
		"an extended name":          {typ, header(`Content-Disposition: form-data; name="a"; Name*=utf-8''model`), "readers differ"},
		"a folded header":           {typ, header("Content-Disposition: form-data; name=a\r\n ; b=c"), "cannot be read"},
		"a header without a colon":  {typ, header("hello"), "cannot be read"},
		"a space before the colon":  {typ, header("Content-Disposition : form-data; name=a"), "cannot be read"},
		"a line feed in a header":   {typ, header("Content-Disposition: form-data; name=a\nX: y"), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Check(tc.kind, tc.body)
			if !errors.Is(err, ErrForm) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want it to say %q", err, tc.says)
			}
		})
	}
}

func TestCheck_BoundsTheParts(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for range maxParts + 1 {
		b.WriteString(field("a", "1") + "\r\n")
	}
	b.WriteString("--b--")
	if _, err := Check(typ, b.Bytes()); !errors.Is(err, ErrForm) {
		t.Errorf("got %v", err)
	}
}

func TestCheck_TakesWhatClientsWrite(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"plain":                body(field("model", "m"), "--b--"),
		"an end of line":       body(field("model", "m"), "--b--", ""),
		"a line before":        body("", field("model", "m"), "--b--", ""),
		"spaces at a boundary": body("--b \t", "content-disposition: form-data; name=model", "", "m", "--b--"),
		"an empty value":       body(field("prompt", ""), field("model", "m"), "--b--", ""),
		"a charset":            body("--b", "Content-Type: text/plain; charset=utf-8", `Content-Disposition: form-data; name="model"`, "Content-Transfer-Encoding: 8bit", "", "m", "--b--"),
		"a file name in UTF-8": body("--b", `Content-Disposition: form-data; name="file"; filename="ö;.mp3"; filename*=utf-8''%C3%B6.mp3`, "", " --b\r\n--", field("model", "m"), "--b--"),
		"lists":                body(field("a[]", "1"), field("a[]", "2"), field("model", "m"), "--b--"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Check(typ, b)
			if err != nil {
				t.Fatal(err)
			}
			if model, ok, err := f.Text("model"); model != "m" || !ok || err != nil {
				t.Errorf("model %q, %v, %v", model, ok, err)
			}
			pieces, err := f.Set("model", `a"b\c/d`)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Check(f.ContentType(), bytes.Join(pieces, nil))
			if err != nil {
				t.Fatal(err)
			}
			if model, _, err := again.Text("model"); model != `a"b\c/d` || err != nil {
				t.Errorf("set to %q, %v", model, err)
			}
		})
	}
}

func TestText_OfWhatIsNotOnePlainField(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"twice":   body(field("model", "m"), field("model", "m"), "--b--"),
		"a file":  body("--b", `Content-Disposition: form-data; name="model"; filename="m"`, "", "m", "--b--"),
		"encoded": body("--b", `Content-Disposition: form-data; name="model"`, "Content-Transfer-Encoding: base64", "", "bQ==", "--b--"),
	} {
		f, err := Check(typ, b)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Text("model"); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Set("model", "n"); !errors.Is(err, ErrForm) {
			t.Errorf("%s: set: %v", name, err)
		}
		if _, ok, err := f.Text("Model"); ok || err != nil {
			t.Errorf("%s: names are case-exact: %v, %v", name, ok, err)
		}
	}
}

func TestSet_LeavesAllElseByteForByte(t *testing.T) {
	t.Parallel()
	head, tail := string(body(field("file", "\x00\xff\r\n-\r\n--"), "")), string(body("", field("prompt", "p"), "--b--", ""))
	f, err := Check(typ, []byte(head+field("model", "m")+tail))
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := f.Set("model", "other")
	if got := string(bytes.Join(pieces, nil)); err != nil || got != head+field("model", "other")+tail {
		t.Errorf("%v\n%q", err, got)
	}
	if _, err := f.Set("model", "a\r\n--b--"); !errors.Is(err, ErrForm) {
		t.Errorf("a value of two lines: %v", err)
	}
}

// What this package accepts, the standard library must read in the same way.
func FuzzCheck(f *testing.F) {
	f.Add(body(field("model", "m"), "--b--", ""))
	f.Add(body("", "--b \t", "content-disposition: form-data; name=model", "", "m", "--b--"))
	f.Add(body(field("file", "\r\n\r\n--"), field("model", "m"), field("model", ""), "--b--"))
	f.Add(body("--b", `Content-Disposition: form-data; name="a\"b"; filename="x"`, "Content-Transfer-Encoding: binary", "", "", "--b--"))
	f.Fuzz(func(t *testing.T, b []byte) {
		form, err := Check(typ, b)
		if err != nil {
			return
		}
		r := multipart.NewReader(bytes.NewReader(b), "b")
		for i := range form.parts {
			p := &form.parts[i]
			part, err := r.NextRawPart()
			if err != nil {
				t.Fatalf("part %d: %v", i, err)
			}
			value, err := io.ReadAll(part)
			if err != nil || part.FormName() != p.name || !bytes.Equal(value, b[p.value:p.end]) {
				t.Fatalf("part %d: %v: %q=%q, here %q=%q", i, err, part.FormName(), value, p.name, b[p.value:p.end])
			}
			if _, ok := part.Header[textproto.CanonicalMIMEHeaderKey("Content-Disposition")]; !ok {
				t.Fatalf("part %d: %v", i, part.Header)
			}
		}
		if part, err := r.NextRawPart(); !errors.Is(err, io.EOF) {
			t.Fatalf("one more: %v, %v", part, err)
		}
	})
}
