// Package signature proves that a delivery comes from the sender it claims to
// come from: how each scheme signs and verifies a request at a given time. It
// refuses to know where a secret comes from, what a body says, and what time it is.
package signature

import "time"

// Request is what a delivery is verified by. Nothing of it is kept.
type Request struct {
	Header func(name string) string // value of a request header, empty when there is none
	Target string                   // path and query as they were sent, for schemes that sign a URL
	Body   []byte                   // raw, as it was sent
}

// Secret tells which of a scheme's secrets signed a request.
type Secret string

// Senders rotate from the previous secrets to the current ones.
const (
	Current  Secret = "current"
	Previous Secret = "previous"
)

// Scheme is one sender's way of signing. Its methods may be called by several
// goroutines at once.
type Scheme interface {
	// Verify returns which of the scheme's secrets signed the request. now is
	// what a signed time is compared with, by schemes that sign one.
	//
	// The error is ErrMissing, ErrMismatch or ErrStale. How long Verify takes does
	// not depend on how much of a signature is right.
	Verify(r Request, now time.Time) (Secret, error)
}
