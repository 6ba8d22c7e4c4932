package rawjson

import "unsafe"

// AppendBytes is AppendString for text that stands in a byte slice.
func AppendBytes(dst, text []byte) []byte {
	return AppendString(dst, unsafe.String(unsafe.SliceData(text), len(text))) //nolint:gosec // read only, and not kept
}
