//go:build unix

package upstream

import "syscall"

// alive reports whether an idle connection is open and silent. An upstream that
// closed it meanwhile would otherwise fail the next request.
func (c *conn) alive() bool {
	if c.raw == nil {
		return true
	}
	open := false
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		open = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true // whatever it was, do not wait for more
	})
	return err == nil && open
}
