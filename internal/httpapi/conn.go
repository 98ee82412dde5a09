package httpapi

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// conn is a connection that knows how to end.
type conn struct {
	net.Conn
	listener *listener
	used     atomic.Bool // something was read from it
	asked    atomic.Bool // something was read since the last write: a request is under way
	lingers  atomic.Bool // its client may still be sending when it ends
	ended    atomic.Bool // its client sends nothing more
}

// Read is part of net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.used.Store(true)
		c.asked.Store(true)
	}
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

// Write is part of net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.asked.Store(false)
	return c.Conn.Write(b)
}

// wakeIdle ends a wait for the next request. Closing the connection instead could
// cut off a request that has been read a moment ago; this fails reads alone, and
// its answer is still written.
func (c *conn) wakeIdle() {
	if !c.asked.Load() {
		_ = c.Conn.SetReadDeadline(longAgo) // fails only when it is closed already
	}
}

var longAgo = time.Unix(1, 0)

// SetDeadline is part of net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return unlessClosed(c.Conn.SetDeadline(t)) }

// SetReadDeadline is part of net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return unlessClosed(c.Conn.SetReadDeadline(t)) }

// SetWriteDeadline is part of net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return unlessClosed(c.Conn.SetWriteDeadline(t)) }

// unlessClosed hides that the connection has been closed by Shutdown, of ours or of
// fasthttp: fasthttp takes a deadline that fails for a bug and panics (server.go,
// serveConn). It notices at its next read or write.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close is part of net.Conn.
func (c *conn) Close() error {
	if c.lingers.CompareAndSwap(true, false) {
		linger(c.Conn)
	}
	c.listener.forget(c)
	return c.Conn.Close()
}

// A connection that is closed while something sent to it has not been read resets
// the other side, which may then lose an answer that it has not read yet (RFC 9112,
// section 9.6). So the answer is ended first and the rest is read and thrown away:
// for so long, and so much of it.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 64 << 20
)

func linger(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c, lingerBytes)
}
