package upstream

import (
	"io"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/rawjson"
)

// sending is a request's body on its way out. Its pieces are those of the client's
// own request, so these must not be used again while a transport may read them; a
// transport says that it is done by Close, which may come after its answer
// (http.RoundTripper).
type sending struct {
	pieces     rawjson.Segments
	piece, off int // where Read goes on
	lent       *atomic.Int32
	closed     atomic.Bool
}

// lend makes the body of one request.
func (c *Call) lend(body rawjson.Segments) *sending {
	c.lent.Add(1)
	return &sending{pieces: body, lent: &c.lent}
}

// BodyLent reports whether a transport may still read the bytes of the request.
func (c *Call) BodyLent() bool { return c.lent.Load() > 0 }

// Read implements io.Reader, for transports that know no better way.
func (b *sending) Read(p []byte) (int, error) {
	for b.piece < len(b.pieces) {
		n := copy(p, b.pieces[b.piece][b.off:])
		if b.off += n; n > 0 || len(p) == 0 {
			return n, nil
		}
		b.piece, b.off = b.piece+1, 0
	}
	return 0, io.EOF
}

// Close implements io.Closer.
func (b *sending) Close() error {
	if !b.closed.Swap(true) {
		b.lent.Add(-1)
	}
	return nil
}
