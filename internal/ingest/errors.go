package ingest

import (
	"errors"

	"sluice/pkg/message"
)

// ErrUnavailable is what Accept's error is when the stream did not take the
// delivery, or not all of it. Nothing was promised; the same delivery is welcome
// again in a moment.
var ErrUnavailable = errors.New("the stream does not take messages right now")

// UnavailableError is an ErrUnavailable with its cause.
type UnavailableError struct {
	Reason string // in a few words, fit for a sender's eyes
	Err    error  // what the Publisher returned, for the log
}

func (e *UnavailableError) Error() string { return e.Reason + ": " + e.Err.Error() }

// Unwrap returns ErrUnavailable and the cause.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }

// reasoner is what an error of a Publisher may be: it knows words for senders, who
// need not hear of files and addresses.
type reasoner interface{ Reason() string }

func unavailable(err error) error {
	reason := ErrUnavailable.Error()
	if r, ok := errors.AsType[interface {
		error
		reasoner
	}](err); ok {
		reason = r.Reason()
	} else if errors.Is(err, message.ErrDisconnected) {
		reason = message.ErrDisconnected.Error()
	}
	return &UnavailableError{Reason: reason, Err: err}
}
