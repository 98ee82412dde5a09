package httpapi

import (
	"context"
	"errors"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/ingest"
	"sluice/internal/operator"
	"sluice/pkg/contract"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// errPanic is what became of a request whose handler panicked.
var errPanic = errors.New("panic")

// failure is an error as the contract tells it.
type failure struct {
	status int
	code   contract.Code
	detail string
}

// kinds turns errors into failures; the first that matches counts. An empty detail
// is the error's own text.
var kinds = []struct {
	err error
	failure
}{
	{signature.ErrMissing, failure{401, contract.CodeInvalidSignature, "invalid signature"}},
	{signature.ErrMismatch, failure{401, contract.CodeInvalidSignature, "invalid signature"}},
	{signature.ErrStale, failure{401, contract.CodeInvalidSignature, "invalid signature"}},
	{operator.ErrStranger, failure{401, contract.CodeUnauthorized, ""}},
	{operator.ErrTooManyGuesses, failure{429, contract.CodeTooManyGuesses, ""}},
	{errNoHandshake, failure{403, contract.CodeForbidden, ""}},
	{errCrossSite, failure{403, contract.CodeForbidden, ""}},
	{errTooLarge, failure{413, contract.CodeTooLarge, ""}},
	{errNeedsToken, failure{403, contract.CodeForbidden, ""}},
	{errWriterRefuse, failure{409, contract.CodeNotDone, ""}},
	{ErrNoWriter, failure{503, contract.CodeWriterUnavailable, ""}},
	{message.ErrDisconnected, failure{503, contract.CodeUnavailable, ""}},
	{errTooManyTails, failure{503, contract.CodeOverloaded, ""}},
	{errNoRoom, failure{503, contract.CodeOverloaded, ""}},
	{message.ErrNotFound, failure{404, contract.CodeNotFound, ""}},
	{message.ErrUnavailable, failure{503, contract.CodeDatabaseUnavailable, ""}},
	{context.DeadlineExceeded, failure{503, contract.CodeDatabaseUnavailable, "the database took too long"}},
	{context.Canceled, failure{503, contract.CodeOverloaded, "this process is stopping"}},
	{errBadRequest, failure{400, contract.CodeBadRequest, ""}},
	{errIncomplete, failure{400, contract.CodeBadRequest, ""}},
	{errTimeout, failure{408, contract.CodeTimeout, ""}},
	{errHeaderTooLarge, failure{431, contract.CodeHeaderTooLarge, ""}},
	{fiber.ErrMethodNotAllowed, failure{405, contract.CodeMethodNotAllowed, "Method Not Allowed"}},
}

// failureOf returns how an error is told. What nobody expected is a bug of ours
// and tells nothing.
func failureOf(err error) failure {
	if unavailable, ok := errors.AsType[*ingest.UnavailableError](err); ok { // first: there may be thousands a second
		return failure{503, contract.CodeUnavailable, unavailable.Reason}
	}
	for i := range kinds {
		if errors.Is(err, kinds[i].err) {
			f := kinds[i].failure
			if f.detail == "" {
				f.detail = err.Error()
			}
			return f
		}
	}
	if notFound, ok := errors.AsType[*fiber.Error](err); ok && notFound.Code == http.StatusNotFound {
		return failure{404, contract.CodeNotFound, "Not Found"}
	}
	if limited, ok := errors.AsType[*ingest.LimitedError](err); ok {
		return failure{429, contract.CodeRateLimited, limited.Error()}
	}
	if _, ok := errors.AsType[message.InvalidErrors](err); ok {
		return failure{422, contract.CodeInvalid, "the request is not valid"}
	}
	return failure{500, contract.CodeInternal, "internal server error"}
}

// renderError is Fiber's error handler.
func (s *Server) renderError(c *fiber.Ctx, err error) error {
	s.answerError(c.Context(), exchangeOf(c.Context()), err)
	return nil
}

// answerError answers with an error. The answer's headers stay as they are.
func (s *Server) answerError(c *fasthttp.RequestCtx, x *exchange, err error) {
	f := failureOf(err)
	s.note(x, f, err)
	switch f.code {
	case contract.CodeUnauthorized:
		c.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, bearerChallenge)
	case contract.CodeTooManyGuesses:
		c.Response.Header.Set(fasthttp.HeaderRetryAfter, guessRetryAfter)
	case contract.CodeRateLimited:
		c.Response.Header.Set(fasthttp.HeaderRetryAfter, pauseOf(err))
	}
	if f.status == http.StatusServiceUnavailable {
		c.Response.Header.Set(fasthttp.HeaderRetryAfter, s.retryAfter())
	}
	c.Response.Header.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)

	var fields []contract.FieldError
	if f.code == contract.CodeInvalid {
		invalid, _ := errors.AsType[message.InvalidErrors](err)
		fields = fieldErrors(x, invalid)
	}
	switch {
	case wantsProblem(c.Request.Header.Peek(fasthttp.HeaderAccept)):
		problem := contract.NewProblem(f.status, f.code, f.detail, x.requestID)
		problem.Errors = fields
		answerJSON(c, f.status, contract.TypeProblem, problem)
	case fields != nil:
		answerJSON(c, f.status, contract.TypeJSON, contract.Validation{Detail: fields})
	default:
		answerJSON(c, f.status, contract.TypeJSON, contract.Error{Detail: f.detail})
	}
}

// note keeps the error for the line of the access log; a bug of ours gets a line
// of its own, which is there at every level.
func (s *Server) note(x *exchange, f failure, err error) {
	if f.status != http.StatusNotFound && f.status != http.StatusMethodNotAllowed {
		x.err = err
	}
	if f.status == http.StatusInternalServerError && err != errPanic {
		s.cfg.Log.Error("request failed", "request_id", x.requestID, "error", err)
	}
}

// fieldErrors says where each broken rule is: in the body of a webhook, in the
// query of everything else.
func fieldErrors(x *exchange, invalid message.InvalidErrors) []contract.FieldError {
	part := "query"
	if x.webhook {
		part = "body"
	}
	fields := make([]contract.FieldError, len(invalid))
	for i, e := range invalid {
		loc := []string{part}
		if e.Field != "" {
			loc = append(loc, e.Field)
		}
		fields[i] = contract.FieldError{Loc: loc, Msg: e.Reason, Type: e.Code}
	}
	return fields
}

// wantsProblem reports whether the Accept header names the media type of RFC 9457.
// Whoever knows it is given it, whatever else there may be.
func wantsProblem(accept []byte) bool {
	if len(accept) == 0 {
		return false
	}
	for part := range strings.SplitSeq(string(accept), ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil || mediaType != contract.TypeProblem {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		return err != nil || q > 0
	}
	return false
}

func (s *Server) retryAfter() string {
	return strconv.FormatInt(max(1, int64(s.cfg.RetryAfter/time.Second)), 10)
}

// pauseOf returns after how many seconds a delivery that was one too many is
// welcome.
func pauseOf(err error) string {
	limited, _ := errors.AsType[*ingest.LimitedError](err)
	return strconv.FormatFloat(max(1, math.Ceil(limited.Pause.Seconds())), 'f', 0, 64)
}
