package contract

import "net/http"

// Code says what kind of error an answer is, for programs. A Problem carries it.
type Code string

// The codes.
const (
	CodeInvalidSignature    Code = "invalid_signature"    // 401
	CodeUnauthorized        Code = "unauthorized"         // 401: operators only
	CodeTooManyGuesses      Code = "too_many_guesses"     // 429: of the operator's token
	CodeRateLimited         Code = "rate_limited"         // 429: too many deliveries of one kind of sender
	CodeForbidden           Code = "forbidden"            // 403
	CodeInvalid             Code = "validation_error"     // 422
	CodeTooLarge            Code = "too_large"            // 413
	CodeUnavailable         Code = "stream_unavailable"   // 503: the stream does not take messages right now
	CodeDatabaseUnavailable Code = "database_unavailable" // 503: there is nothing to read right now
	CodeOverloaded          Code = "overloaded"           // 503: too many connections or bytes at once
	CodeWriterUnavailable   Code = "writer_unavailable"   // 503: no writer answers
	CodeNotDone             Code = "not_done"             // 409: the writer says why
	CodeNotFound            Code = "not_found"            // 404
	CodeMethodNotAllowed    Code = "method_not_allowed"   // 405
	CodeBadRequest          Code = "bad_request"          // 400: not HTTP as it should be
	CodeTimeout             Code = "request_timeout"      // 408: the request came too slowly
	CodeHeaderTooLarge      Code = "header_too_large"     // 431
	CodeInternal            Code = "internal"             // 500: a bug of ours
)

// Error is the body of every answer that is an error, but for a Validation.
type Error struct {
	Detail string `json:"detail"`
}

// Validation is the body of a 422.
type Validation struct {
	Detail []FieldError `json:"detail"`
}

// FieldError is one broken rule.
type FieldError struct {
	Loc  []string `json:"loc"`  // "body" or "query", then the field's name unless it is the whole body
	Msg  string   `json:"msg"`  // for people
	Type string   `json:"type"` // for programs: package message's and query's codes
}

// Problem is the body of an error in the form of RFC 9457.
type Problem struct {
	Type      string       `json:"type"`  // "about:blank": the status says it all
	Title     string       `json:"title"` // of the status
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      Code         `json:"code"`
	RequestID string       `json:"request_id"`
	Errors    []FieldError `json:"errors,omitempty"` // of a 422
}

// NewProblem returns a Problem with the title of its status.
func NewProblem(status int, code Code, detail, requestID string) Problem {
	return Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: detail, Code: code, RequestID: requestID,
	}
}
