package rawjson

// A scanner walks one text once. Its methods take the offset to start at and return the offset after what they read, or
// a negative number when s.err says why not.
type scanner struct {
	b       []byte
	max     int      // depth
	members []member // of the root, gathered if not nil
	ends    *ends    // of long values, gathered if not nil
	err     error
	scratch
}

// document reads the whole text: one value with white space around it.
func (s *scanner) document() (Value, bool) {
	if len(s.b) > MaxSize {
		s.fail(MaxSize, ErrSyntax, "the text is longer than 1 GiB; send less")
		return Value{}, false
	}
	start := space(s.b, 0)
	end := s.value(start, 0)
	if end < 0 {
		return Value{}, false
	}
	if i := space(s.b, end); i < len(s.b) {
		s.unexpected(i, "the end of the text")
		return Value{}, false
	}
	return Value{raw: s.b[start:end:end], pos: start, ends: s.ends}, true
}

// value reads the value at i, inside depth arrays and objects.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.b) {
		return s.unexpected(i, "a value")
	}
	switch c := s.b[i]; c {
	case '"':
		end, _ := s.text(i + 1)
		s.ends.add(i, end)
		return end
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't', 'f', 'n':
		if end := literalEnd(s.b, i); end >= 0 {
			return end
		}
		return s.fail(i, ErrSyntax, "a word that is not true, false or null; put text in double quotes")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		end, good := numberEnd(s.b, i)
		if !good {
			return s.unexpected(end, "a digit")
		}
		return end
	}
	return s.unexpected(i, "a value")
}

// object reads the object whose brace stands at i; depth counts it.
func (s *scanner) object(i, depth int) int {
	if depth > s.max {
		return s.tooDeep(i)
	}
	b, set, place := s.b, s.openNames(), s.ends.open(i)
	i = space(b, i+1)
	if i < len(b) && b[i] == '}' {
		s.ends.close(place, i+1)
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return s.unexpected(i, "a name in double quotes")
		}
		m := member{name: uint32(i + 1)}
		end, escaped := s.text(i + 1)
		if end < 0 || !s.unique(&set, i+1, end-1, escaped) {
			return -1
		}
		m.nameEnd = uint32(end - 1)
		if i = space(b, end); i >= len(b) || b[i] != ':' {
			return s.unexpected(i, "a colon")
		}
		i = space(b, i+1)
		m.value = uint32(i)
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		if depth == 1 && s.members != nil {
			m.end = uint32(i)
			s.members = append(s.members, m)
		}
		i = space(b, i)
		if i < len(b) && b[i] == ',' {
			i = space(b, i+1)
			continue
		}
		if i < len(b) && b[i] == '}' {
			s.closeNames(&set)
			s.ends.close(place, i+1)
			return i + 1
		}
		return s.unexpected(i, "a comma or a closing brace")
	}
}

// array reads the array whose bracket stands at i; depth counts it.
func (s *scanner) array(i, depth int) int {
	if depth > s.max {
		return s.tooDeep(i)
	}
	b, place := s.b, s.ends.open(i)
	i = space(b, i+1)
	if i < len(b) && b[i] == ']' {
		s.ends.close(place, i+1)
		return i + 1
	}
	for {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		i = space(b, i)
		if i < len(b) && b[i] == ',' {
			i = space(b, i+1)
			continue
		}
		if i < len(b) && b[i] == ']' {
			s.ends.close(place, i+1)
			return i + 1
		}
		return s.unexpected(i, "a comma or a closing bracket")
	}
}

// space returns the offset of the first byte at or after i that is not JSON white space.
func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// literalEnd returns the offset after true, false or null at i, or -1.
func literalEnd(b []byte, i int) int {
	if len(b)-i >= 4 {
		switch string(b[i : i+4]) {
		case "true", "null":
			return i + 4
		case "fals":
			if len(b)-i >= 5 && b[i+4] == 'e' {
				return i + 5
			}
		}
	}
	return -1
}

// numberEnd returns the offset after the number at i. If the number breaks off, good is false and end is where a digit
// is missing. What may follow a number is for the caller to know: for 01 it returns the offset of the 1.
func numberEnd(b []byte, i int) (end int, good bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i, good = digits(b, i); !good {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		if i, good = digits(b, i+1); !good {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i, true
}

// digits returns the offset after the digits at i, and whether there is at least one.
func digits(b []byte, i int) (end int, good bool) {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i, i > start
}
