package gemini

// framing is how the chunks of a stream stand behind each other: as server-sent
// events, or, for a client that did not ask for those with alt=sse, as the elements
// of one JSON array.
type framing struct {
	array bool
	begun bool
	ended bool
}

// open writes what stands before a chunk.
func (f *framing) open(dst []byte) []byte {
	switch {
	case !f.array:
		dst = append(dst, "data: "...)
	case f.begun:
		dst = append(dst, ",\n"...)
	default:
		dst = append(dst, '[')
	}
	f.begun = true
	return dst
}

// close writes what stands behind a chunk.
func (f *framing) close(dst []byte) []byte {
	if f.array {
		return dst
	}
	return append(dst, "\n\n"...)
}

// end writes what stands behind the last chunk, once. Events end with the connection.
func (f *framing) end(dst []byte) []byte {
	ended := f.ended
	f.ended = true
	switch {
	case !f.array || ended:
		return dst
	case !f.begun:
		dst = append(dst, '[')
	}
	return append(dst, ']')
}
