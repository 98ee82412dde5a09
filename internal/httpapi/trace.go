package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"sluice/internal/tracing"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// traceParent returns a copy of a traceparent header, empty when it is none.
func traceParent(header []byte) string {
	if len(header) == 0 {
		return ""
	}
	if value := string(header); message.TraceID(value) != "" {
		return value
	}
	return ""
}

// traced wraps the handler of a webhook in a span, below which the writer's will be.
// Its attributes have the names of OpenTelemetry's semantic conventions, where there
// are any.
func (s *Server) traced(next fiber.Handler) fiber.Handler {
	if s.cfg.Trace == nil {
		return next
	}
	return func(c *fiber.Ctx) error {
		x := exchangeOf(c.Context())
		span := s.cfg.Trace.Start(tracing.Server, x.method+" "+x.route.pattern, x.trace, x.start)
		x.trace = span.Parent(x.trace)
		err := next(c)
		status := http.StatusOK
		var bad error
		if err != nil {
			if status = failureOf(err).status; status >= http.StatusInternalServerError {
				bad = err
			}
		}
		span.End(time.Now(), bad,
			"http.request.method", x.method, "http.route", x.route.pattern, "http.response.status_code", strconv.Itoa(status),
			"messaging.message.id", x.messageID, "sluice.result", string(x.result), "sluice.request_id", x.requestID,
			"sluice.sequence", string(c.Response().Header.Peek(contract.HeaderStreamSequence)))
		return err
	}
}
