package httpapi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nuid"
	"github.com/valyala/fasthttp"

	"sluice/pkg/contract"
)

// oversized marks the request whose Content-Length is beyond the limit, and keeps
// it. No client can set it: fasthttp refuses names with a blank in them. It is
// written as fasthttp writes names.
const oversized = "Oversized body"

// headerReceived is called between header and body. An oversized body is not
// asked for and not read: the request goes on without it, marked, to be answered
// at once.
func (s *Server) headerReceived(h *fasthttp.RequestHeader) (cfg fasthttp.RequestConfig) {
	if length := h.ContentLength(); length > s.cfg.MaxBodyBytes {
		h.SetContentLength(0)
		h.Del(fasthttp.HeaderExpect)
		h.Set(oversized, strconv.Itoa(length))
	}
	return cfg
}

func isOversized(c *fasthttp.RequestCtx) bool { return len(c.Request.Header.Peek(oversized)) > 0 }

// Errors of requests that never reach a handler.
var (
	errBadRequest     = errors.New("this is not HTTP as it should be")
	errTimeout        = errors.New("the request came too slowly")
	errHeaderTooLarge = fmt.Errorf("request line and header must have at most %d bytes", headerBytes)
	errTooManyConns   = errors.New("too many connections")
)

// refused answers what fasthttp could not read. It has forgotten method, path and
// header by then.
func (s *Server) refused(c *fasthttp.RequestCtx, err error) {
	if conn, ok := c.Conn().(*conn); ok && !conn.used.Load() {
		_ = conn.Close() // nobody asked for anything, so nobody is answered
		return
	}
	x := s.begin(c)
	x.method, x.route, x.unread = otherMethod, nil, true
	reason := whyRefused(err)
	s.answerError(c, x, reason)
	if reason != errTimeout {
		lingerAtEnd(c)
	}
	s.end(c, x)
}

func whyRefused(err error) error {
	var tooLarge *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &tooLarge):
		return errHeaderTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, fasthttp.ErrTimeout):
		return errTimeout
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return errTooLarge
	}
	return errBadRequest
}

// turnAway answers a connection too many, whatever it has to say.
func (s *Server) turnAway(raw net.Conn) {
	defer func() { _ = raw.Close() }()
	if raw.SetWriteDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	body := encode(contract.Error{Detail: errTooManyConns.Error()})
	_, err := fmt.Fprintf(raw, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: %s\r\n%s: %s\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
		contract.TypeJSON, contract.HeaderRequestID, nuid.Next(), fasthttp.HeaderRetryAfter, s.retryAfter(), len(body), body)
	if err == nil {
		linger(raw)
	}
}
