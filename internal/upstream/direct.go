package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

// direct carries HTTP/1.1 to upstreams without TLS, as engines on one's own machines
// are. net/http's Transport hands every request to two goroutines of its own and
// back; here the goroutine that asks writes the request and reads the answer itself,
// which spares their switches and their stacks. The answer's parsing and framing are
// net/http's.
//
// What it does not take, TLS and proxies and odd hosts, goes to the Transport.
type direct struct {
	std  *http.Transport
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu   sync.Mutex
	idle map[string][]*conn // by address, the freshest last
	n    int                // in idle
}

const (
	// smallBody fits into a socket's buffer. A larger one is written beside the
	// reading, for an upstream may answer, and stop reading, before it has it all.
	smallBody      = 64 << 10
	maxIdle        = 2048
	maxIdlePerHost = 512
	maxIdleTime    = 60 * time.Second
	maxHeaderBytes = 256 << 10
)

func newDirect(std *http.Transport) *direct {
	return &direct{std: std, dial: std.DialContext, idle: map[string][]*conn{}}
}

// CloseIdleConnections closes what nobody uses.
func (d *direct) CloseIdleConnections() {
	d.std.CloseIdleConnections()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conns := range d.idle {
		for _, c := range conns {
			c.kill()
		}
	}
	clear(d.idle)
	d.n = 0
}

// RoundTrip implements http.RoundTripper.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := r.Body.(*sending)
	if !ok || r.URL.Scheme != "http" || !plainHost(r.Host) {
		return d.std.RoundTrip(r)
	}
	if proxy, err := d.std.Proxy(r); proxy != nil || err != nil {
		return d.std.RoundTrip(r)
	}
	c, err := d.take(r.Context(), address(r))
	if err != nil {
		_ = body.Close() // it cannot fail
		return nil, err
	}
	stop := context.AfterFunc(r.Context(), c.kill)
	written, err := c.send(r, body)
	if err != nil {
		stop()
		c.kill()
		return nil, err
	}
	res, err := c.receive(r)
	if err != nil {
		stop()
		c.kill()
		if written != nil {
			_ = <-written // the answer's own error says more
		}
		return nil, err
	}
	res.Body = &directBodyReader{ReadCloser: res.Body, conn: c, pool: d, stop: stop, written: written, keep: !res.Close}
	return res, nil
}

func address(r *http.Request) string {
	if port := r.URL.Port(); port != "" {
		return r.URL.Host
	}
	return net.JoinHostPort(r.URL.Hostname(), "80")
}

// plainHost reports whether a host can be sent as it stands: zones of IPv6 addresses
// and names beyond ASCII are for net/http to rewrite.
func plainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; c == '%' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// take gives an idle connection that is still open, or a new one.
func (d *direct) take(ctx context.Context, addr string) (*conn, error) {
	for {
		c := d.pop(addr)
		if c == nil {
			break
		}
		if time.Since(c.since) < maxIdleTime && c.alive() {
			return c, nil
		}
		c.kill()
	}
	nc, err := d.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return newConn(nc, addr), nil
}

func (d *direct) pop(addr string) *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	conns := d.idle[addr]
	if len(conns) == 0 {
		return nil
	}
	c := conns[len(conns)-1]
	conns[len(conns)-1] = nil
	d.idle[addr] = conns[:len(conns)-1]
	d.n--
	return c
}

// put keeps a connection for the next request, and lets the oldest go when there
// are too many or it has waited too long.
func (d *direct) put(c *conn) {
	c.since = time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	conns := d.idle[c.addr]
	if d.n >= maxIdle || len(conns) >= maxIdlePerHost {
		c.kill()
		return
	}
	if len(conns) > 0 && c.since.Sub(conns[0].since) > maxIdleTime {
		conns[0].kill()
		copy(conns, conns[1:])
		conns[len(conns)-1] = c
		return
	}
	d.idle[c.addr] = append(conns, c)
	d.n++
}

// conn is one connection, used by one request at a time.
type conn struct {
	addr   string
	net    net.Conn
	raw    syscall.RawConn // nil where the connection has none
	limit  io.LimitedReader
	reader *bufio.Reader
	since  time.Time // idle since
}

func newConn(nc net.Conn, addr string) *conn {
	c := &conn{addr: addr, net: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn() // without it the connection is taken to be alive
	}
	c.limit.R = nc
	c.reader = bufio.NewReader(&c.limit)
	return c
}

// Read reads the bytes behind an answer's head: first those that came with it.
func (c *conn) Read(p []byte) (int, error) {
	if n := c.reader.Buffered(); n > 0 {
		return c.reader.Read(p[:min(n, len(p))])
	}
	return c.net.Read(p)
}

func (c *conn) kill() { _ = c.net.Close() } // nothing is lost by it

var errHeaders = errors.New("the upstream's headers are larger than 256 KiB")

// send writes the request. A large one goes on being written after it returned: then
// written tells how that ended, once.
func (c *conn) send(r *http.Request, body *sending) (written chan error, err error) {
	if r.ContentLength <= smallBody {
		return nil, c.write(r, body)
	}
	written = make(chan error, 1)
	go func() { written <- c.write(r, body) }() // ends when the connection does, at the latest
	return written, nil
}

var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// framing are the headers that write sets itself, as http.Request.Write does.
var framing = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true}

// write hands head and body to the system in one call, where they lie: by way of
// http.Request.Write a long body would be copied once more, and sent in many pieces.
func (c *conn) write(r *http.Request, body *sending) error {
	defer body.Close()
	head := heads.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer heads.Put(head)
	head.Reset()
	for _, s := range [...]string{r.Method, " ", r.URL.RequestURI(), " HTTP/1.1\r\nHost: ", r.Host, "\r\n"} {
		head.WriteString(s)
	}
	if err := r.Header.WriteSubset(head, framing); err != nil {
		return err
	}
	head.WriteString("Content-Length: ")
	head.Write(strconv.AppendInt(head.AvailableBuffer(), r.ContentLength, 10))
	head.WriteString("\r\n\r\n")
	out := append(make(net.Buffers, 0, 8), head.Bytes())
	out = append(out, body.pieces...)
	_, err := out.WriteTo(c.net)
	return err
}

// receive reads the answer up to its body.
func (c *conn) receive(r *http.Request) (*http.Response, error) {
	for {
		c.limit.N = maxHeaderBytes
		res, err := http.ReadResponse(c.reader, r)
		if err != nil {
			if c.limit.N <= 0 {
				err = errHeaders
			}
			return nil, err
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			c.limit.N = math.MaxInt64
			if isChunked(res) {
				res.Body = &chunked{conn: c}
			}
			return res, nil
		}
	}
}

// isChunked reports whether an answer's body has the chunked coding and no other.
func isChunked(res *http.Response) bool {
	return len(res.TransferEncoding) == 1 && res.TransferEncoding[0] == "chunked" && res.Body != http.NoBody
}

// directBodyReader gives the connection back when the answer was read to its end. An
// answer that is left before takes its connection along: reading on could take for
// ever.
type directBodyReader struct {
	io.ReadCloser
	conn *conn
	pool *direct
	stop func() bool
	// written is set while a large request may still be under way.
	written chan error
	keep    bool
	done    bool
}

// Read implements io.Reader.
func (b *directBodyReader) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish(errors.Is(err, io.EOF))
	}
	return n, err
}

// Close implements io.Closer.
func (b *directBodyReader) Close() error {
	b.finish(false)
	return nil
}

func (b *directBodyReader) finish(whole bool) {
	if b.done {
		return
	}
	b.done = true
	defer b.settle()
	// stop is false once the context has ended: then the connection is closed, or
	// about to be.
	if !b.stop() || !whole || !b.keep || b.conn.reader.Buffered() > 0 || b.surplus() || !b.sent() {
		b.conn.kill()
		return
	}
	b.pool.put(b.conn)
}

// surplus reports whether something came behind the answer's end, of which nobody
// knows what it answers.
func (b *directBodyReader) surplus() bool {
	c, ok := b.ReadCloser.(*chunked)
	return ok && c.strip.extra
}

// sent reports whether the request was written to its end.
func (b *directBodyReader) sent() bool {
	if b.written == nil {
		return true
	}
	select {
	case err := <-b.written:
		b.written = nil
		return err == nil
	default:
		return false
	}
}

// settle waits for the request's writer, whose connection is closed by now.
func (b *directBodyReader) settle() {
	if b.written != nil {
		_ = <-b.written // whether it was sent no longer matters
	}
}
