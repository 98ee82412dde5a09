package signature

import "errors"

// What Verify refuses a delivery for. None of them goes away by sending the same
// bytes again.
var (
	// ErrMissing is returned when the delivery carries no signature of this
	// scheme at all.
	ErrMissing = errors.New("no signature")

	// ErrMismatch is returned when the signature is not that of the body under
	// any of the secrets, or is not written as the scheme demands.
	ErrMismatch = errors.New("the signature does not match the body")

	// ErrStale is returned when the signature is right but the time it signs is
	// too far from now.
	ErrStale = errors.New("the signed time is too far from now")
)
