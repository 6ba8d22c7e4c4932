// Package upstream is the model server of the benchmarks: it speaks just enough HTTP
// and OpenAI to be forwarded to, and costs less than whatever stands before it.
//
// It reads a request's head and throws its body away; how to answer stands in the
// body's first bytes, which Ask.Body writes. It must not be used where an answer has
// to depend on the question. Start reading at Serve.
package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Serve answers on l until ctx ends. Each connection has its goroutine, and Serve
// returns when all of them have ended.
func Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil // the listener was closed because of it
		}
		if err != nil {
			return err
		}
		open.Go(func() {
			closeEarly := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer closeEarly()
			defer conn.Close()
			serve(ctx, conn)
		})
	}
}

// headPart is how much of a body is looked at, and what one connection reads at once.
const headPart = 4 << 10

func serve(ctx context.Context, conn net.Conn) {
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, headPart)}
	for {
		ask, err := c.read()
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				_, _ = conn.Write(refusal)
			}
			return
		}
		if c.answer(ctx, ask) != nil {
			return
		}
	}
}

// client is one connection.
type client struct {
	conn  net.Conn
	in    *bufio.Reader
	frame []byte // of a streamed chunk, reused
}

var (
	refusal    = []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	lengthName = []byte("content-length:")
)

// read takes one request off the connection.
func (c *client) read() (Ask, error) {
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return Ask{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 && !first {
			break
		}
		if len(line) > len(lengthName) && bytes.EqualFold(line[:len(lengthName)], lengthName) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthName):]))); err != nil {
				return Ask{}, err
			}
		}
	}
	if length < 0 {
		return Ask{}, errors.New("no Content-Length")
	}
	head, err := c.in.Peek(min(length, askBytes))
	if err != nil {
		return Ask{}, err
	}
	ask, err := parseAsk(head)
	if err != nil {
		return Ask{}, err
	}
	return ask, c.discard(length)
}

var scratch = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// discard throws n bytes away: what is buffered, then the rest in large reads.
func (c *client) discard(n int) error {
	buffered := min(n, c.in.Buffered())
	if _, err := c.in.Discard(buffered); err != nil || buffered == n {
		return err
	}
	buf := scratch.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer scratch.Put(buf)
	for n -= buffered; n > 0; {
		got, err := c.conn.Read((*buf)[:min(n, len(*buf))])
		if err != nil {
			return err
		}
		n -= got
	}
	return nil
}

func (c *client) answer(ctx context.Context, ask Ask) error {
	if err := pause(ctx, ask.Think); err != nil {
		return err
	}
	if !ask.Stream {
		_, err := c.conn.Write(plainAnswer)
		return err
	}
	if _, err := c.conn.Write(streamHead); err != nil {
		return err
	}
	begun := time.Now()
	for i := range ask.Chunks {
		if err := pause(ctx, time.Until(begun.Add(time.Duration(i)*ask.Gap))); err != nil {
			return err
		}
		if _, err := c.conn.Write(c.chunk(i, ask.Chunks)); err != nil {
			return err
		}
	}
	if _, err := c.conn.Write(usageFrame); err != nil {
		return err
	}
	_, err := c.conn.Write(lastFrame)
	return err
}

// chunk is the HTTP frame of one chunk: the role first, the stop reason last, and
// between them content that carries the time of sending.
func (c *client) chunk(i, n int) []byte {
	switch i {
	case 0:
		return roleFrame
	case n - 1:
		return stopFrame
	}
	c.frame = append(c.frame[:0], contentFrame...)
	strconv.AppendInt(c.frame[:stampAt], time.Now().UnixNano(), 10)
	return c.frame
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
