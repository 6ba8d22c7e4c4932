package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/bench/upstream"
)

// client is one keep-alive connection that sends the same request again and again. It
// speaks HTTP by hand, so that the load costs less than what is loaded.
type client struct {
	addr    string
	request []byte
	conn    net.Conn
	in      *bufio.Reader
	until   time.Time // after which the connection gives up
	onPiece func(piece []byte)
	tail    []byte // the last bytes of the answer

	streamEnd []byte // of a whole one
}

// How whole event streams end.
var (
	chatEnd     = []byte("data: [DONE]\n\n")
	messagesEnd = []byte("data: {\"type\":\"message_stop\"}\n\n")
)

// once sends the request and reads the answer to its end.
func (c *client) once(ctx context.Context, streamed bool) error {
	if c.conn == nil {
		if err := c.connect(ctx); err != nil {
			return err
		}
	}
	err := c.exchange(streamed)
	if err != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	return err
}

func (c *client) connect(ctx context.Context) error {
	dialer := net.Dialer{Deadline: c.until}
	conn, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(c.until); err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, 4<<10)
	return nil
}

func (c *client) exchange(streamed bool) error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	length, err := c.readHead()
	if err != nil {
		return err
	}
	c.tail = c.tail[:0]
	if length >= 0 {
		err = c.readPiece(length)
	} else {
		err = c.readChunks()
	}
	switch {
	case err != nil:
		return err
	case streamed && !bytes.Equal(c.tail, c.streamEnd):
		return fmt.Errorf("the stream ended with %q", c.tail)
	case !streamed && !bytes.HasSuffix(c.tail, []byte("}")):
		return fmt.Errorf("the answer ended with %q", c.tail)
	}
	return nil
}

var (
	lengthName = []byte("content-length:")
	okStatus   = []byte("HTTP/1.1 200 ")
)

// chunked stands for a length that is not known beforehand.
const chunked = -1

// readHead gives the body's length.
func (c *client) readHead() (int, error) {
	status, err := c.line()
	if err != nil {
		return 0, err
	}
	length, bad := chunked, ""
	if !bytes.HasPrefix(status, okStatus) {
		bad = string(status)
	}
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		if len(line) > len(lengthName) && bytes.EqualFold(line[:len(lengthName)], lengthName) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthName):]))); err != nil {
				return 0, err
			}
		}
	}
	if bad != "" {
		text, _ := c.in.Peek(min(max(length, 0), 300)) // some of the error's text will do
		return 0, fmt.Errorf("%s: %s", bad, text)
	}
	return length, nil
}

func (c *client) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

func (c *client) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return err
		}
		if err := c.readPiece(int(n)); err != nil {
			return err
		}
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) > 0 {
			return errors.New("an HTTP chunk is longer than it says")
		}
		if n == 0 {
			return nil
		}
	}
}

// readPiece reads n bytes of the body, in parts as large as the buffer.
func (c *client) readPiece(n int) error {
	for n > 0 {
		part, err := c.in.Peek(min(n, c.in.Size()))
		if err != nil {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if c.onPiece != nil {
			c.onPiece(part)
		}
		c.tail = append(c.tail, part[max(len(part)-len(c.streamEnd), 0):]...)
		c.tail = c.tail[max(len(c.tail)-len(c.streamEnd), 0):]
		n -= len(part)
		if _, err := c.in.Discard(len(part)); err != nil {
			return err
		}
	}
	return nil
}

// stamps calls yield with the sending time in each content chunk of a piece. One that
// is split between two pieces is passed over.
func stamps(piece []byte, yield func(sent int64)) {
	for {
		_, rest, ok := bytes.Cut(piece, []byte(upstream.StampField))
		if !ok || len(rest) < upstream.StampDigits {
			return
		}
		if sent, err := strconv.ParseInt(string(rest[:upstream.StampDigits]), 10, 64); err == nil {
			yield(sent)
		}
		piece = rest
	}
}
