package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotObject is matched by the error of Edits.Apply when a field should be set inside something that holds no fields.
var ErrNotObject = errors.New("not an object")

// Edits are changes to a document, collected by Set and Delete and made together by Apply. The result is that of making
// them one after the other. The values given to Set must stay unchanged until Apply. The document itself never changes.
type Edits struct {
	doc   *Doc
	nodes []edit // a tree; the first is the root
	grow  int    // by how much the text can get longer, at most
	err   error  // the first
}

// An edit is one name on the path of a change: its value is replaced by raw, or deleted, or neither; then it must be an
// object if a field was set in it; then its children change what is inside.
type edit struct {
	name        string
	raw         []byte
	deleted     bool
	object      bool
	child, next int // places in nodes, 0 for none
}

// stays reports whether there is a value after the edit, whatever was there before.
func (n *edit) stays() bool { return n.raw != nil || n.object }

// Edit begins a set of changes to d.
func (d *Doc) Edit() Edits {
	return Edits{doc: d, nodes: make([]edit, 1, 4)}
}

// Set gives the field at path the value raw, which must be one JSON value that keeps to the limits the document was
// checked with. The field stays where it is; a new one goes to the end of its object. Objects missing on the way
// are made, and null counts as missing. Without a path it replaces the root.
// What is wrong with raw or path, Apply reports.
func (e *Edits) Set(raw []byte, path ...string) {
	if e.err != nil {
		return
	}
	if len(path) > e.doc.depth {
		e.err = fmt.Errorf("the path %s: %w", dotted(path), &SyntaxError{
			Msg: fmt.Sprintf("it is longer than the %d levels allowed; use fewer", e.doc.depth), Kind: ErrDepth})
		return
	}
	s := scanner{b: raw, max: e.doc.depth - len(path)}
	v, ok := s.document()
	if !ok {
		e.err = fmt.Errorf("the new value of %s: %w", dotted(path), s.err)
		return
	}
	for _, name := range path {
		if !utf8.ValidString(name) {
			e.err = fmt.Errorf("the name %s: %w", strconv.Quote(name), &SyntaxError{Msg: "it is not UTF-8; encode it", Kind: ErrSyntax})
			return
		}
		e.grow += len(`{"":},`) + 6*len(name)
	}
	e.grow += len(v.raw)
	n := e.node(path, true)
	*n = edit{name: n.name, raw: v.raw, next: n.next}
}

// Delete takes the field at path out, with its comma. If there is no such field it does nothing.
func (e *Edits) Delete(path ...string) {
	if e.err != nil {
		return
	}
	if len(path) == 0 {
		e.err = errors.New("the root cannot be deleted; name a field")
		return
	}
	n := e.node(path, false)
	*n = edit{name: n.name, deleted: true, next: n.next}
}

// node returns the edit at path, made if need be; setting says whether those above it must be objects. The pointer is
// good until the next call.
func (e *Edits) node(path []string, setting bool) *edit {
	at := 0
	for _, name := range path {
		e.nodes[at].object = e.nodes[at].object || setting
		next := e.nodes[at].child
		for next != 0 && e.nodes[next].name != name {
			next = e.nodes[next].next
		}
		if next == 0 {
			next = len(e.nodes)
			e.nodes = append(e.nodes, edit{name: name})
			e.link(at, next)
		}
		at = next
	}
	return &e.nodes[at]
}

// link makes child the last of parent's children, so that new fields come out in the order they were set.
func (e *Edits) link(parent, child int) {
	to := &e.nodes[parent].child
	for *to != 0 {
		to = &e.nodes[*to].next
	}
	*to = child
}

// Apply returns the document with the changes made. Every byte outside them, white space too, is as it was, and the
// result passes Check with the document's limits. It allocates once; with no changes it returns the document's
// own bytes. It can be called again after more changes.
//
// Its error is the first mistake of Set or Delete, or ErrNotObject when a field should be set inside a number, string, boolean
// or array.
func (e *Edits) Apply() ([]byte, error) {
	p := splice{long: math.MaxInt}
	err := e.apply(&p, len(e.doc.b))
	return p.out, err
}

// Segments is Apply for texts that are sent: what is long and unchanged is not copied, but stands in the result as a
// piece of the document's own bytes.
func (e *Edits) Segments() (Segments, error) {
	p := splice{long: longPiece}
	if err := e.apply(&p, min(len(e.doc.b), shortPieces)); err != nil {
		return nil, err
	}
	return append(p.pieces, p.out), nil
}

// What is shorter than longPiece is cheaper to copy than to hand to the system as a piece of its own. shortPieces is
// room for the copies of a usual request.
const longPiece, shortPieces = 512, 512

// apply writes the edited text; kept is how many bytes of the document it expects to copy.
func (e *Edits) apply(p *splice, kept int) error {
	if e.err != nil {
		return e.err
	}
	d := e.doc
	if root := &e.nodes[0]; root.child == 0 && root.raw == nil {
		p.out = d.b
		return nil
	}
	p.nodes, p.root, p.out = e.nodes, d.members, make([]byte, 0, kept+e.grow)
	start, end := d.root.Pos()
	p.keep(d.b[:start])
	p.value(&e.nodes[0], d.root)
	p.keep(d.b[end:])
	if p.err != nil {
		p.out = nil
	}
	return p.err
}

// Segments is a text in pieces, to be read one after the other. They may share their bytes with the document that they
// were made from: do not change them.
type Segments [][]byte

// Len is the length of the text in bytes.
func (s Segments) Len() int {
	n := 0
	for _, piece := range s {
		n += len(piece)
	}
	return n
}

// Join returns the text in one piece, which is a copy unless there was only one.
func (s Segments) Join() []byte {
	if len(s) == 1 {
		return s[0]
	}
	return bytes.Join(s, nil)
}

// A splice writes the edited text.
type splice struct {
	nodes  []edit
	root   []member // of the document's root, found by Check already
	long   int      // unchanged bytes that many are not copied
	pieces Segments // that are complete
	out    []byte   // the piece that is being written
	err    error
}

// keep writes bytes of the document that stay as they are.
func (p *splice) keep(raw []byte) {
	if len(raw) < p.long {
		p.out = append(p.out, raw...)
		return
	}
	if n := len(p.out); n > 0 {
		p.pieces = append(p.pieces, p.out[:n:n])
		p.out = p.out[n:] // go on in what is left of its memory
	}
	p.pieces = append(p.pieces, raw)
}

// value writes v, which is Invalid if there was none, as n changes it.
func (p *splice) value(n *edit, v Value) {
	members := p.root
	if n != &p.nodes[0] || n.raw != nil {
		members = nil
	}
	if n.raw != nil {
		v = Value{raw: n.raw}
	} else if n.deleted {
		v = Value{}
	}
	switch kind := v.Kind(); {
	case n.child == 0 || kind != Object && !n.object:
		p.keep(v.raw)
	case kind == Object:
		p.object(n, v, members)
	case kind == Null || kind == Invalid:
		p.out = append(p.out, '{')
		p.added(n, nil, 0, nil, 0)
		p.out = append(p.out, '}')
	case p.err == nil:
		where := "the root"
		if n != &p.nodes[0] {
			where = fmt.Sprintf("the field %q", n.name)
		}
		p.err = fmt.Errorf("%s is %s and %w: no field can be set in it; send an object or leave it out", where, kind, ErrNotObject)
	}
}

// object writes the object v as n's children change it. members are v's, or nil if they are to be found.
func (p *splice) object(n *edit, v Value, members []member) {
	var few [16]member
	if members == nil {
		members = appendMembers(few[:0], v)
	}
	raw, base := v.raw, uint32(v.pos)
	last := len(raw) - 1 // where what was copied or dropped so far ends: at first, before the closing brace
	if len(members) > 0 {
		last = int(members[0].name - 1 - base)
	}
	p.keep(raw[:last])
	kept := 0
	for _, m := range members {
		c := p.child(n, raw[m.name-base:m.nameEnd-base])
		if c == nil || !c.deleted || c.stays() {
			// A member brings the comma before it along, so the first one that is kept leaves its comma behind.
			from := int(m.name - 1 - base)
			if kept > 0 {
				from = last
			}
			p.keep(raw[from : m.value-base])
			p.member(c, Value{raw: raw[m.value-base : m.end-base], pos: int(m.value), ends: v.ends})
			kept++
		}
		last = int(m.end - base)
	}
	p.added(n, raw, base, members, kept)
	p.keep(raw[last:])
}

func (p *splice) member(c *edit, v Value) {
	if c == nil {
		p.keep(v.raw)
		return
	}
	p.value(c, v)
}

// added writes the fields that n's children set and the object did not have.
func (p *splice) added(n *edit, raw []byte, base uint32, members []member, kept int) {
	for i := n.child; i != 0; i = p.nodes[i].next {
		c := &p.nodes[i]
		had := slices.ContainsFunc(members, func(m member) bool {
			return sameName(raw[m.name-base:m.nameEnd-base], c.name)
		})
		if had || !c.stays() {
			continue
		}
		if kept > 0 {
			p.out = append(p.out, ',')
		}
		p.out = append(AppendString(p.out, c.name), ':')
		p.value(c, Value{})
		kept++
	}
}

// child returns the edit of n's member whose raw name is given, or nil.
func (p *splice) child(n *edit, raw []byte) *edit {
	for i := n.child; i != 0; i = p.nodes[i].next {
		if c := &p.nodes[i]; sameName(raw, c.name) {
			return c
		}
	}
	return nil
}

// appendMembers finds the members of an object.
func appendMembers(dst []member, v Value) []member {
	for w := v.walk('{'); w.next(); {
		start, end := w.value.Pos()
		at := v.pos + w.at
		dst = append(dst, member{uint32(at), uint32(at + len(w.name)), uint32(start), uint32(end)})
	}
	return dst
}

// dotted writes a path for a message.
func dotted(path []string) string {
	if len(path) == 0 {
		return "the root"
	}
	quoted := make([]string, len(path)) // by hand, so that fmt does not make every caller's path escape to the heap
	for i, name := range path {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ".")
}
