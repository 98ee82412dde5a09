package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sluice/internal/query"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// maxTails bounds the tails at a time: each asks the database again and again.
const maxTails = 64

var errTooManyTails = errors.New("too many tails at once")

// tailRetry is how long a browser waits before it connects again.
const tailRetry = time.Second

// getTail answers GET /tail with Server-Sent Events (the HTML standard, section
// 9.2), for as long as the client stays and this process takes requests.
func (s *Server) getTail(c *fiber.Ctx) error {
	q, err := query.ParseTail(rawQuery(c), strings.Clone(c.Get(contract.HeaderLastEventID)))
	if err != nil {
		return err
	}
	tail, err := s.cfg.Query.Tail(s.base, q)
	if err != nil {
		return err
	}
	if c.Method() == fiber.MethodHead {
		setTailHeader(c)
		return nil
	}
	select {
	case s.tails <- struct{}{}:
	default:
		return errTooManyTails
	}
	setTailHeader(c)
	conn := c.Context().Conn()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() { <-s.tails }()
		s.writeTail(w, conn, tail)
	})
	return nil
}

func setTailHeader(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentType, contract.TypeEvents)
	c.Set("X-Accel-Buffering", "no") // nginx would keep events back
}

// writeTail writes events until its reader goes, the database does, or the server
// stops. A reader that comes back says where it was.
func (s *Server) writeTail(w *bufio.Writer, conn net.Conn, tail *query.Tail) {
	fmt.Fprintf(w, "retry: %d\nid: %d\n\n", tailRetry.Milliseconds(), tail.At())
	for {
		// Each event has the time that another answer has as a whole.
		if conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)) != nil || w.Flush() != nil {
			return
		}
		a, err := tail.Next(s.accepting)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				s.cfg.Log.Warn("a tail ended", "error", err)
			}
			return
		}
		writeArrivals(w, &a, tail.At())
	}
}

func writeArrivals(w *bufio.Writer, a *message.Arrivals, at uint64) {
	if a.Passed > 0 {
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", contract.EventSkipped, encode(contract.Skipped{Messages: a.Passed}))
	}
	for i := range a.Records {
		r := &a.Records[i]
		fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", r.Seq, contract.EventMessage, encode(contract.NewMessageDetail(r)))
	}
	fmt.Fprintf(w, "id: %d\n\n", at) // no event: it moves the reader past what does not match
}
