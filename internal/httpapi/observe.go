package httpapi

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/internal/ingest"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// exchange is what is known of a request while it is answered. The log and the
// metrics are made of it.
type exchange struct {
	start     time.Time
	method    string
	route     *route // nil when there is no such path
	requestID string
	trace     string // the caller's traceparent, empty when there is none
	unread    bool   // the header was not read to its end, so that there is no path
	bodyRead  bool   // to its end
	err       error  // why the answer is an error

	// Of a webhook.
	webhook    bool
	result     ingest.Result
	messageID  string
	entries    int // that it brought
	duplicates int // of those
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// exchangeKey is what a request keeps its exchange under.
type exchangeKey struct{}

// exchangeOf returns the exchange of a request inside observe.
func exchangeOf(c *fasthttp.RequestCtx) *exchange {
	return c.UserValue(exchangeKey{}).(*exchange)
}

// observe wraps everything that answers requests: it gives each an id, survives
// panics, counts and logs.
func (s *Server) observe(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		x := s.begin(c)
		defer s.closeWhenLeaving(c)
		defer s.end(c, x)
		defer s.survive(c, x)
		// A target or a host that is no URL, or a body with two ends.
		if len(rawPath(c)) == 0 || !oneLength(c.Request.Header.RawHeaders()) {
			s.answerError(c, x, errBadRequest)
			return
		}
		next(c)
	}
}

// closeWhenLeaving has the client come back elsewhere.
func (s *Server) closeWhenLeaving(c *fasthttp.RequestCtx) {
	if s.leaving.Load() {
		c.SetConnectionClose()
	}
}

// begin makes the exchange of a request whose header has been read.
func (s *Server) begin(c *fasthttp.RequestCtx) *exchange {
	x := exchanges.Get().(*exchange)
	*x = exchange{
		start:     time.Now(),
		method:    methodName(c.Method()),
		route:     s.routes.find(rawPath(c)),
		requestID: requestID(c.Request.Header.Peek(contract.HeaderRequestID)),
		trace:     traceParent(c.Request.Header.Peek(contract.HeaderTraceParent)),
	}
	c.SetUserValue(exchangeKey{}, x)
	c.Response.Header.Set(contract.HeaderRequestID, x.requestID)
	if x.method == otherMethod {
		// Fiber knows neither the method nor how to say so. As a method that it
		// knows and no route has, it gets its 404 or 405.
		c.Request.Header.SetMethod(fasthttp.MethodTrace)
	}
	return x
}

// survive answers a panic with 500. The process lives on: a request that panics
// again and again must not take the others with it.
func (s *Server) survive(c *fasthttp.RequestCtx, x *exchange) {
	reason := recover()
	if reason == nil {
		return
	}
	s.cfg.Log.Error("panic", "request_id", x.requestID, "reason", reason, "stack", string(debug.Stack()))
	s.answerError(c, x, errPanic)
}

// end finishes the answer, counts and logs it.
func (s *Server) end(c *fasthttp.RequestCtx, x *exchange) {
	if !x.bodyRead && hasBody(c) {
		// What is left of it would be taken for the next request.
		c.SetConnectionClose()
		lingerAtEnd(c)
	}
	took := time.Since(x.start)
	s.stats.observe(x, c.Response.StatusCode(), took)
	s.logRequest(c, x, took)
	c.RemoveUserValue(exchangeKey{})
	exchanges.Put(x)
}

// lingerAtEnd makes sure that the client can read the answer although it may not
// have sent everything.
func lingerAtEnd(c *fasthttp.RequestCtx) {
	if conn, ok := c.Conn().(*conn); ok {
		conn.lingers.Store(true)
	}
}

// logRequest writes the line of the access log.
func (s *Server) logRequest(c *fasthttp.RequestCtx, x *exchange, took time.Duration) {
	ctx := context.Background()
	level := slog.LevelInfo
	if x.route != nil {
		level = x.route.level
	}
	if !s.cfg.Log.Enabled(ctx, level) {
		return
	}
	var room [12]slog.Attr
	attrs := append(room[:0],
		slog.String("request_id", x.requestID),
		slog.String("method", x.method),
		slog.String("path", loggedPath(c, x)),
		slog.Int("status", c.Response.StatusCode()),
		slog.Float64("latency_ms", float64(took.Microseconds())/1000),
	)
	if x.trace != "" {
		attrs = append(attrs, slog.String("trace_id", message.TraceID(x.trace)))
	}
	if x.webhook {
		if x.messageID != "" {
			attrs = append(attrs, slog.String("message_id", x.messageID))
		}
		attrs = append(attrs, slog.Bool("dup", x.result == ingest.Duplicate), slog.String("result", string(x.result)))
		if x.entries > 1 {
			attrs = append(attrs, slog.Int("entries", x.entries), slog.Int("duplicates", x.duplicates))
		}
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	s.cfg.Log.LogAttrs(ctx, level, "request", attrs...)
}

// maxLoggedPath bounds what a line tells of a path, in bytes.
const maxLoggedPath = 1024

// loggedPath returns the path without its query, which may hold somebody's words.
func loggedPath(c *fasthttp.RequestCtx, x *exchange) string {
	if x.route != nil && x.route.pattern != contract.PathMessage {
		return x.route.pattern
	}
	if x.unread {
		return ""
	}
	path := rawPath(c)
	return string(path[:min(len(path), maxLoggedPath)])
}

// otherMethod stands for the methods that HTTP does not define.
const otherMethod = "OTHER"

// methodName returns a constant, so that neither a log nor a metric holds what
// anybody sends.
func methodName(method []byte) string {
	switch string(method) {
	case fasthttp.MethodGet:
		return fasthttp.MethodGet
	case fasthttp.MethodHead:
		return fasthttp.MethodHead
	case fasthttp.MethodPost:
		return fasthttp.MethodPost
	case fasthttp.MethodPut:
		return fasthttp.MethodPut
	case fasthttp.MethodPatch:
		return fasthttp.MethodPatch
	case fasthttp.MethodDelete:
		return fasthttp.MethodDelete
	case fasthttp.MethodConnect:
		return fasthttp.MethodConnect
	case fasthttp.MethodOptions:
		return fasthttp.MethodOptions
	case fasthttp.MethodTrace:
		return fasthttp.MethodTrace
	}
	return otherMethod
}
