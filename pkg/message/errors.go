package message

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound is returned when no message has the id asked for. Asking again
// helps only once the message has been accepted and applied.
var ErrNotFound = errors.New("no such message")

// ErrUnavailable is returned by readers while there is no database to read:
// the writer has not made it yet, its schema is older or newer than this
// program's, or it is being replaced. Nothing is wrong with the request; the
// same one succeeds once the writer has done its work.
var ErrUnavailable = errors.New("the database is not available")

// ErrDisconnected is returned when the stream cannot be reached or the consumer
// has gone. Anything may have happened to the stream meanwhile, so a writer opens
// it again and proves its checkpoint anew.
var ErrDisconnected = errors.New("the stream is away")

// ErrNoEntry is returned when the stream holds nothing at the sequence asked
// for: trimmed, never reached, or lost. Asking again does not help.
var ErrNoEntry = errors.New("no entry at that sequence")

// ErrTrimmed is the ErrNoEntry of a sequence before the stream's first: whatever
// was there has been trimmed.
var ErrTrimmed = fmt.Errorf("%w: the stream begins behind it", ErrNoEntry)

// ErrRefused is returned by a store for a batch that holds an entry which it
// can never take, by that entry's own fault: too big, or against a rule of the
// schema. Nothing of the batch was applied, and the same batch fails again.
var ErrRefused = errors.New("the store refuses an entry")

// Codes of an InvalidError: what kind of rule was broken, for programs.
const (
	CodeMissing    = "missing"
	CodeType       = "string_type"
	CodeTooShort   = "string_too_short"
	CodeTooLong    = "string_too_long"
	CodePattern    = "string_pattern_mismatch"
	CodeDatetime   = "datetime_parsing"
	CodeUnicode    = "string_unicode"
	CodeRepeated   = "repeated_member"
	CodeJSON       = "json_invalid"
	CodeObjectType = "object_type"
)

// InvalidError is one broken rule of one field.
type InvalidError struct {
	Field  string // the field's name on the wire, empty for the body as a whole
	Reason string // what the rule is, for people
	Code   string // what kind of rule it is, one of the Code constants
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + " " + e.Reason
}

// InvalidErrors is every broken rule of one message, in the order of its fields.
type InvalidErrors []*InvalidError

func (errs InvalidErrors) Error() string {
	reasons := make([]string, len(errs))
	for i, e := range errs {
		reasons[i] = e.Error()
	}
	return "invalid message: " + strings.Join(reasons, "; ")
}

func (errs *InvalidErrors) add(e *InvalidError) {
	if e != nil {
		*errs = append(*errs, e)
	}
}
