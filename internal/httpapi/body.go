package httpapi

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// Errors of reading a body.
var (
	errTooLarge   = errors.New("the body is too large")
	errIncomplete = errors.New("the body ended early or is not chunked as it should be")
	errNoRoom     = errors.New("too many large requests at once")
)

// freeBodyBytes of a body are read whatever the budget says, so that large bodies
// cannot keep small ones out.
const freeBodyBytes = 64 << 10

// bodyBudget bounds the memory of the large bodies that are read at the same time.
type bodyBudget struct{ free atomic.Int64 }

func (b *bodyBudget) take(n int) bool {
	if b.free.Add(-int64(n)) >= 0 {
		return true
	}
	b.give(n)
	return false
}

func (b *bodyBudget) give(n int) { b.free.Add(int64(n)) }

// body is what was read of a request, until release.
type body struct {
	bytes  []byte
	taken  int // from the budget
	budget *bodyBudget
}

var bodies = sync.Pool{New: func() any { return &body{bytes: make([]byte, 0, 4<<10)} }}

// release gives the memory back. The bytes are gone then.
func (b *body) release() {
	if b.taken > 0 {
		b.budget.give(b.taken)
		return // too large to keep
	}
	bodies.Put(b)
}

// readBody reads the body of a request to its end, and no further than most bytes.
// The memory that it takes grows with what has come, not with what was announced.
// The caller releases the body unless there is an error.
func (s *Server) readBody(c *fasthttp.RequestCtx, x *exchange, most int) (*body, error) {
	if isOversized(c) || c.Request.Header.ContentLength() > most {
		return nil, errTooLarge
	}
	b := bodies.Get().(*body)
	b.bytes, b.taken, b.budget = b.bytes[:0], 0, &s.bodies
	if stream := c.RequestBodyStream(); stream != nil {
		if err := b.read(stream, most); err != nil {
			b.release()
			return nil, err
		}
	}
	if isCutOff(c, len(b.bytes)) {
		b.release()
		return nil, errIncomplete
	}
	x.bodyRead = true
	return b, nil
}

// isCutOff reports whether the client ended before the body did, of which so many
// bytes came. fasthttp reads no further than the last chunk, and takes the end of
// the connection between two chunks for it (streaming.go, requestStream.Read).
func isCutOff(c *fasthttp.RequestCtx, came int) bool {
	length := c.Request.Header.ContentLength()
	if length != chunkedLength {
		return length > came
	}
	conn, ok := c.Conn().(*conn)
	return ok && conn.ended.Load()
}

// chunkedLength is fasthttp's Content-Length of a body in chunks.
const chunkedLength = -1

func (b *body) read(stream io.Reader, most int) error {
	for {
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(most); err != nil {
				return err
			}
		}
		n, err := stream.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > most:
			return errTooLarge
		case err == io.EOF:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errTimeout
		case err != nil:
			return errIncomplete
		}
	}
}

// grow doubles the room, up to one byte beyond the limit.
func (b *body) grow(most int) error {
	size := min(2*cap(b.bytes), most+1)
	if size > freeBodyBytes {
		if !b.budget.take(size - b.taken) {
			return errNoRoom
		}
		b.taken = size
	}
	b.bytes = append(make([]byte, 0, size), b.bytes...)
	return nil
}

// hasBody reports whether the request came with a body, which may be on the line
// still.
func hasBody(c *fasthttp.RequestCtx) bool {
	length := c.Request.Header.ContentLength()
	return length > 0 || length == chunkedLength || isOversized(c)
}
