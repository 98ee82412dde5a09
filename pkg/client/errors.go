package client

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/pkg/contract"
)

// ErrNotFound is what Message's error is when there is no such message.
var ErrNotFound = errors.New("not found")

// Error is an answer other than 200.
type Error struct {
	Status     int
	Code       contract.Code // empty when something between says it, a proxy say
	Detail     string
	Fields     []contract.FieldError // every broken rule, of a 422
	RequestID  string                // the same as in the server's log
	RetryAfter time.Duration         // what the server asks to wait, 0 when it does not
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	for _, f := range e.Fields {
		s += "; " + strings.Join(f.Loc, ".") + " " + f.Msg
	}
	return s
}

// Is makes errors.Is(err, ErrNotFound) true for a 404.
func (e *Error) Is(target error) bool {
	return target == ErrNotFound && e.Status == http.StatusNotFound
}

// Temporary reports whether the same request is welcome again: too many requests,
// too slow, or a server that cannot right now.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// maxErrorBytes is as much of an error's body as is looked at.
const maxErrorBytes = 64 << 10

func newError(res *http.Response) *Error {
	e := &Error{
		Status:     res.StatusCode,
		RequestID:  res.Header.Get(contract.HeaderRequestID),
		RetryAfter: parseRetryAfter(res.Header.Get("Retry-After"), time.Now()),
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBytes)) // what has come is what can be told
	var problem contract.Problem
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		e.Code, e.Detail, e.Fields = problem.Code, problem.Detail, problem.Errors
	}
	return e
}

// parseRetryAfter reads seconds or a date (RFC 9110, section 10.2.3).
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// errMalformed is what an answer is that no server of ours gives.
var errMalformed = errors.New("the answer is not what it should be")

// mayRetry reports whether a request that failed so may succeed later.
func mayRetry(err error) bool {
	if answered, ok := errors.AsType[*Error](err); ok {
		return answered.Temporary()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	return !errors.Is(err, errMalformed)
}

func retryAfter(err error) time.Duration {
	if answered, ok := errors.AsType[*Error](err); ok {
		return answered.RetryAfter
	}
	return 0
}
