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
)

// reply is what the load wants to know of an HTTP response.
type reply struct {
	status     int
	sequence   uint64 // X-Stream-Sequence, 0 when absent
	retryAfter bool   // it says when to come back, in whole seconds
	close      bool   // the server will take no other request on this connection
}

// connection is one keep-alive connection that is dialed anew when it breaks.
type connection struct {
	addr    string
	timeout time.Duration
	conn    net.Conn
	reader  *bufio.Reader
}

// post sends one request and reads its reply. After an error nobody knows
// whether the request was taken; the next call dials again.
func (c *connection) post(ctx context.Context, request []byte) (reply, error) {
	if c.conn == nil {
		if err := c.dial(ctx); err != nil {
			return reply{}, err
		}
	}
	r, err := c.exchange(request)
	if err != nil || r.close {
		c.hangUp()
	}
	return r, err
}

func (c *connection) dial(ctx context.Context) error {
	d := net.Dialer{Timeout: c.timeout}
	conn, err := d.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn = conn
	c.reader = bufio.NewReaderSize(conn, 4096)
	return nil
}

func (c *connection) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *connection) exchange(request []byte) (reply, error) {
	if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return reply{}, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return reply{}, err
	}
	return readReply(c.reader)
}

var errReply = errors.New("not an HTTP/1.1 response")

// readReply reads a response with a Content-Length, which is all that the api
// gives to a POST.
func readReply(r *bufio.Reader) (reply, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return reply{}, err
	}
	const before = len("HTTP/1.1 ")
	if len(line) < before+3 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return reply{}, fmt.Errorf("%w: %q", errReply, line)
	}
	var rep reply
	if rep.status, err = strconv.Atoi(string(line[before : before+3])); err != nil {
		return reply{}, fmt.Errorf("%w: %q", errReply, line)
	}
	length := int64(-1)
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return reply{}, err
		}
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if !ok {
			break
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.ParseInt(string(value), 10, 64)
		case bytes.EqualFold(name, []byte("X-Stream-Sequence")):
			rep.sequence, err = strconv.ParseUint(string(value), 10, 64)
		case bytes.EqualFold(name, []byte("Retry-After")):
			seconds, _ := strconv.Atoi(string(value))
			rep.retryAfter = seconds > 0
		case bytes.EqualFold(name, []byte("Connection")):
			rep.close = bytes.EqualFold(value, []byte("close"))
		}
		if err != nil {
			return reply{}, fmt.Errorf("%w: %q: %w", errReply, line, err)
		}
	}
	if length < 0 {
		return reply{}, fmt.Errorf("%w: no Content-Length", errReply)
	}
	_, err = io.CopyN(io.Discard, r, length)
	return rep, err
}
