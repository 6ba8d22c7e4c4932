package rawjson

import (
	"iter"
	"math/bits"
	"strconv"
)

// Kind is what a value is; its first byte tells.
type Kind uint8

// The kinds.
const (
	Invalid Kind = iota // the zero Value: nothing was found
	Null
	Bool
	Number
	String
	Array
	Object
)

// String returns the kind's name as an error message would have it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

var kindNames = [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}

// A Value is the span of one JSON value within the text it was found in. It points into that text and is valid as long
// as the text is unchanged. The zero Value is of kind Invalid, and every look-up in it finds nothing, so look-ups chain
// without checks between.
type Value struct {
	raw  []byte
	pos  int
	ends *ends // of the long values in the text, if it was checked
}

// Kind returns what v is.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return Invalid
	}
	switch v.raw[0] {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// Raw returns v's bytes as they stand in the text, which they share: do not change them.
func (v Value) Raw() []byte { return v.raw }

// Pos returns where v stands in the text: text[start:end] is Raw.
func (v Value) Pos() (start, end int) { return v.pos, v.pos + len(v.raw) }

func (v Value) inside() []byte { return v.raw[1 : len(v.raw)-1] }

// Str returns the string that v stands for, unescaped, and false if v is no string.
func (v Value) Str() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	return nameString(v.inside()), true
}

// AppendStr appends the string that v stands for, unescaped, to dst: Str for loops that must not allocate. If v is
// no string it returns dst and false.
func (v Value) AppendStr(dst []byte) ([]byte, bool) {
	if v.Kind() != String {
		return dst, false
	}
	return appendUnescaped(dst, v.inside()), true
}

// Is reports whether v is the string s; it seldom allocates.
func (v Value) Is(s string) bool { return v.Kind() == String && sameName(v.inside(), s) }

// Bool returns v's truth, and false in second place if v is neither true nor false.
func (v Value) Bool() (value, ok bool) {
	if v.Kind() != Bool {
		return false, false
	}
	return v.raw[0] == 't', true
}

// Float returns v as the nearest float64, and false if v is no number or beyond that type.
func (v Value) Float() (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.raw), 64)
	return f, err == nil
}

// Int returns v exactly, and false if v is no number, has a fraction, or does not fit. 1.0, 1e3 and -0 are integers.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	b := v.raw
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	magnitude, ok := integer(b)
	switch {
	case !ok:
		return 0, false
	case negative:
		return -int64(magnitude), magnitude <= 1<<63
	}
	return int64(magnitude), magnitude < 1<<63
}

// integer returns the number without sign in b, if it is integral and fits. Zeros are counted and not multiplied in
// until a digit follows, so 1.000e2 and 100e-2 come out the same way.
func integer(b []byte) (uint64, bool) {
	var n uint64
	zeros, fraction, i := 0, 0, 0
	inFraction := false
	for ; i < len(b) && b[i]|0x20 != 'e'; i++ {
		if b[i] == '.' {
			inFraction = true
			continue
		}
		if inFraction {
			fraction++
		}
		zeros++
		if digit := uint64(b[i] - '0'); digit != 0 {
			var ok bool
			if n, ok = shift(n, zeros); !ok {
				return 0, false
			}
			var carry uint64
			if n, carry = bits.Add64(n, digit, 0); carry != 0 {
				return 0, false
			}
			zeros = 0
		}
	}
	if n == 0 {
		return 0, true
	}
	exponent := 0
	if i < len(b) {
		var err error
		if exponent, err = strconv.Atoi(string(b[i+1:])); err != nil { // beyond int: beyond int64's 19 digits, too
			return 0, false
		}
	}
	return shift(n, exponent+zeros-fraction)
}

// shift returns n times ten to the power, if that is an integer and fits.
func shift(n uint64, power int) (uint64, bool) {
	if n == 0 {
		return 0, true
	}
	if power < 0 || power > 18 { // n ends with no zeros but those counted in power, and 10^19 is beyond int64
		return 0, false
	}
	for ; power > 0; power-- {
		over, low := bits.Mul64(n, 10)
		if over != 0 {
			return 0, false
		}
		n = low
	}
	return n, true
}

// Empty reports whether v is an array or object with nothing in it.
func (v Value) Empty() bool {
	if k := v.Kind(); k != Array && k != Object {
		return false
	}
	i := space(v.raw, 1)
	return i < len(v.raw) && (v.raw[i] == ']' || v.raw[i] == '}')
}

// Get returns the member of that name if v is an object.
func (v Value) Get(name string) (Value, bool) {
	for it := v.walk('{'); it.next(); {
		if sameName(it.name, name) {
			return it.value, true
		}
	}
	return Value{}, false
}

// Path follows names through nested objects. Without names it returns v itself.
func (v Value) Path(names ...string) (Value, bool) {
	for _, name := range names {
		var ok bool
		if v, ok = v.Get(name); !ok {
			return Value{}, false
		}
	}
	return v, len(v.raw) > 0
}

// Fields yields the members in the order of the text, names unescaped, if v is an object, else nothing.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for it := v.walk('{'); it.next(); {
			if !yield(nameString(it.name), it.value) {
				return
			}
		}
	}
}

// Members is Fields for loops that must not allocate: names come as bytes, as they stand in the text, without their
// quotes.
func (v Value) Members() iter.Seq2[Name, Value] {
	return func(yield func(Name, Value) bool) {
		for it := v.walk('{'); it.next(); {
			if !yield(Name(it.name), it.value) {
				return
			}
		}
	}
}

// Name is a field's name as it stands in the text, without its quotes.
type Name []byte

// String returns the name, unescaped.
func (n Name) String() string { return nameString(n) }

// Is reports whether the name, unescaped, is s.
func (n Name) Is(s string) bool { return sameName(n, s) }

// Items yields the elements in the order of the text if v is an array, else nothing.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for it := v.walk('['); it.next(); {
			if !yield(it.value) {
				return
			}
		}
	}
}
