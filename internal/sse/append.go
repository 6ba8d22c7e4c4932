package sse

// Append appends an event to dst. Data with line ends become several data lines, so a reader gets them back with each
// CR, LF or CR LF as one LF. An empty name writes no event field; a CR or LF in a name becomes a space,
// since it would begin a field of the sender's choice.
func Append(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = appendLine(dst, "event: ", name)
	}
	var l lines
	for {
		line, more := l.next(data, true)
		if !more {
			line = data[l.pos:]
		}
		dst = append(append(append(dst, "data: "...), line...), '\n')
		if !more {
			return append(dst, '\n')
		}
	}
}

// AppendComment appends a comment to dst, which keeps a quiet connection open and means nothing. A CR or LF in it
// becomes a space.
func AppendComment(dst []byte, text string) []byte {
	return append(appendLine(dst, ": ", text), '\n')
}

func appendLine(dst []byte, prefix, text string) []byte {
	from := len(dst) + len(prefix)
	dst = append(append(dst, prefix...), text...)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' {
			dst[from+i] = ' '
		}
	}
	return append(dst, '\n')
}
