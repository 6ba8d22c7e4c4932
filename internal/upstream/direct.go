package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// direct carries HTTP/1.1 to upstreams without TLS, as engines on one's own machines
// are. net/http's Transport hands every request to two goroutines of its own and
// back; here the goroutine that asks writes the request and reads the answer itself,
// which spares their switches and their stacks. Parsing and framing are net/http's.
//
// What it does not take goes to the Transport: TLS, proxies, and bodies that may not
// fit into the socket, since an upstream that answers before it has read all could
// then block both sides.
type direct struct {
	std  *http.Transport
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu   sync.Mutex
	idle map[string][]*conn // by address, the freshest last
	n    int                // in idle
}

const (
	directBody     = 64 << 10
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
	if r.URL.Scheme != "http" || r.ContentLength < 0 || r.ContentLength > directBody {
		return d.std.RoundTrip(r)
	}
	if proxy, err := d.std.Proxy(r); proxy != nil || err != nil {
		return d.std.RoundTrip(r)
	}
	c, err := d.take(r.Context(), address(r))
	if err != nil {
		closeBody(r)
		return nil, err
	}
	stop := context.AfterFunc(r.Context(), c.kill)
	res, err := c.exchange(r)
	if err != nil {
		stop()
		c.kill()
		return nil, err
	}
	res.Body = &directBodyReader{ReadCloser: res.Body, conn: c, pool: d, stop: stop, keep: !res.Close}
	return res, nil
}

func address(r *http.Request) string {
	if port := r.URL.Port(); port != "" {
		return r.URL.Host
	}
	return net.JoinHostPort(r.URL.Hostname(), "80")
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // it is a buffer
	}
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

func (c *conn) kill() { _ = c.net.Close() } // nothing is lost by it

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

var errHeaders = errors.New("the upstream's headers are larger than 256 KiB")

// exchange writes the request and reads the answer up to its body.
func (c *conn) exchange(r *http.Request) (*http.Response, error) {
	w := writers.Get().(*bufio.Writer) //nolint:forcetypeassert,errcheck // the pool holds nothing else
	w.Reset(c.net)
	err := r.Write(w)
	if err == nil {
		err = w.Flush()
	}
	w.Reset(nil)
	writers.Put(w)
	if err != nil {
		return nil, err
	}
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
			return res, nil
		}
	}
}

// directBodyReader gives the connection back when the answer was read to its end. An
// answer that is left before takes its connection along: reading on could take for
// ever.
type directBodyReader struct {
	io.ReadCloser
	conn *conn
	pool *direct
	stop func() bool
	keep bool
	done bool
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
	// stop is false once the context has ended: then the connection is closed, or
	// about to be.
	if b.stop() && whole && b.keep && b.conn.reader.Buffered() == 0 {
		b.pool.put(b.conn)
		return
	}
	b.conn.kill()
}
