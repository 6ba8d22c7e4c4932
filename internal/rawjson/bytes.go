package rawjson

import "unsafe"

// AppendBytes is AppendString for text that stands in a byte slice.
func AppendBytes(dst, text []byte) []byte {
	return AppendString(dst, unsafe.String(unsafe.SliceData(text), len(text))) //nolint:gosec // read only, and not kept
}

// AppendLine appends checked JSON as a line of an event stream can hold it. Line ends
// stand between its tokens only, where a space does as well.
func AppendLine(dst, raw []byte) []byte {
	from := len(dst)
	dst = append(dst, raw...)
	for i := from; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}
