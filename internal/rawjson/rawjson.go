// Package rawjson finds, reads and splices fields in JSON bytes without decoding them, and checks those bytes first.
//
// It answers: is this exactly one sound JSON value with no name said twice; where does a field stand; what do the bytes
// look like with these few fields changed. What was checked is what is read and what is sent: nothing is
// re-encoded, so no second parser can see another "model" than the one we judged.
// It must not know what any field means, which dialect is spoken, or where bytes come from.
// Start reading at [Check], then [Doc.Edit]; scan.go holds the grammar and text.go the strings, where the time goes.
package rawjson

import "iter"

const (
	// DefaultDepth is deeper than any request of a known API (tool schemas reach about 20) and cheap to hold.
	DefaultDepth = 128
	// MaxDepth caps Limits.Depth, because the scanner recurses once per level.
	MaxDepth = 10_000
	// MaxSize is the longest text that Check takes, in bytes: offsets are kept in 32 bits.
	MaxSize = 1<<30 - 1
)

// What a chat request needs, so that a first Check allocates twice and not at every doubling.
const usualMembers, usualNames = 16, 32

// Limits bounds what Check accepts.
type Limits struct {
	// Depth is how many arrays and objects may stand inside each other: 1 for {}, 2 for {"a":[]}, none for a scalar.
	// Zero or less means DefaultDepth; more than MaxDepth means MaxDepth.
	Depth int
}

// Default returns the limits for bytes that come from strangers.
func Default() Limits { return Limits{Depth: DefaultDepth} }

func (l Limits) depth() int {
	if l.Depth <= 0 {
		return DefaultDepth
	}
	return min(l.Depth, MaxDepth)
}

// A Doc is a checked JSON text with the places of its root's fields. It keeps the bytes it was made from: they must not
// change while the Doc, or a Value of it, is in use. The zero Doc holds nothing; Reset fills it.
// Readers may share a Doc; Reset needs it alone.
type Doc struct {
	b       []byte
	root    Value
	members []member
	depth   int
	scan    scratch
}

// Check says whether b is exactly one JSON value as RFC 8259 has it, white space around it allowed, and returns it with
// its top-level fields found. Stricter than that RFC's minimum, it refuses (as RFC 7493, I-JSON, does) names that
// appear twice in one object at any depth, compared after unescaping and case-exact; bytes that are not
// UTF-8; and a \u escape of half a surrogate pair. A byte order mark is refused too.
//
// The error is a *SyntaxError that errors.Is matches to ErrSyntax, ErrDuplicate or ErrDepth.
func Check(b []byte, lim Limits) (Doc, error) {
	var d Doc
	err := d.Reset(b, lim)
	return d, err
}

// Reset makes d the document b, as Check does, and reuses d's memory: no allocation once it has grown to its usual
// size. After an error d is empty.
func (d *Doc) Reset(b []byte, lim Limits) error {
	var long *ends
	if len(b) >= indexed {
		long = &ends{long: longValue} // new each time: the Values of the last text have the old one
	}
	return d.reset(b, lim, long)
}

func (d *Doc) reset(b []byte, lim Limits, long *ends) error {
	if d.members == nil {
		d.members, d.scan.names = make([]member, 0, usualMembers), make([]name, 0, usualNames)
	}
	s := scanner{b: b, max: lim.depth(), scratch: d.scan.reset(), members: d.members[:0], ends: long}
	root, ok := s.document()
	*d = Doc{members: s.members[:0], scan: s.scratch}
	if !ok {
		return s.err
	}
	d.b, d.root, d.members, d.depth = b, root, s.members, s.max
	return nil
}

// Bytes returns the text that was checked, white space around the value included.
func (d *Doc) Bytes() []byte { return d.b }

// Root returns the one value of the text; it is Invalid for an empty Doc.
func (d *Doc) Root() Value { return d.root }

// Get returns the root object's field of that name. It looks at the root's names only, however long their values are.
func (d *Doc) Get(name string) (Value, bool) {
	for i := range d.members {
		if m := &d.members[i]; sameName(d.b[m.name:m.nameEnd], name) {
			return m.of(d), true
		}
	}
	return Value{}, false
}

// Members is Fields for loops that must not allocate: names come as bytes, as they stand in the text, without their
// quotes.
func (d *Doc) Members() iter.Seq2[Name, Value] {
	return func(yield func(Name, Value) bool) {
		for i := range d.members {
			m := &d.members[i]
			if !yield(Name(d.b[m.name:m.nameEnd]), m.of(d)) {
				return
			}
		}
	}
}

// Fields yields the root object's fields in the order of the text, names unescaped. It yields nothing for other kinds.
func (d *Doc) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := range d.members {
			m := &d.members[i]
			if !yield(nameString(d.b[m.name:m.nameEnd]), m.of(d)) {
				return
			}
		}
	}
}

// A member is where one field of an object stands: its name between the quotes and its value, as offsets.
type member struct {
	name, nameEnd, value, end uint32
}

func (m *member) of(d *Doc) Value {
	return Value{raw: d.b[m.value:m.end:m.end], pos: int(m.value), ends: d.root.ends}
}
