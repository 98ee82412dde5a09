// Package source knows the dialects that senders speak: which scheme each of
// them signs with, how its body becomes messages, and what it wants to hear. The
// files of a sender begin with its name. It refuses to know how a delivery came in
// and where its messages go.
package source

import (
	"sync/atomic"
	"time"

	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// Source is one sender's dialect. Its methods may be called by several goroutines
// at once.
type Source interface {
	// Name is what logs, metrics and the stream's subject call the sender:
	// lower-case letters only, and the same for ever.
	Name() string

	// Scheme is how the sender signs.
	Scheme() signature.Scheme

	// Rotate has Scheme take other secrets from now on. An error leaves those of
	// before, and does not show any.
	Rotate(s Secrets) error

	// Read reads a delivery whose signature holds. What it returns is valid, and
	// shares no memory with the delivery. The error is message.InvalidErrors; with
	// it come messages of which nothing but a valid ID counts, for the log.
	Read(d Delivery) (Content, error)
}

// Handshaker is a Source whose sender asks before it sends.
type Handshaker interface {
	Source

	// Handshake returns the answer to a GET with these parameters, and whether
	// who asks knows what the sender knows.
	Handshake(query func(name string) string) (answer string, ok bool)
}

// Answerer is a Source whose sender wants a certain answer when all went well.
type Answerer interface {
	Answer() (mediaType, body string)
}

// Secrets are what a sender and this program share. Each sender has its own way to
// write several into one text, if any.
type Secrets struct {
	Current     string
	Previous    string // also accepted, empty for none
	VerifyToken string // of a Handshaker
}

// Delivery is one request from a sender.
type Delivery struct {
	Header func(name string) string // value of a request header, empty when there is none
	Target string                   // path and query as they were sent
	Body   []byte                   // raw, as it was signed
	At     time.Time                // when it came
}

// Content is what a delivery holds, each kind in the order of the body.
type Content struct {
	Messages []message.Message
	Statuses []message.Status
	Unknown  []message.Unknown // what could not be read, to be kept as it is
}

// rotating is a scheme whose secrets change while it is used.
type rotating struct {
	scheme atomic.Pointer[signature.Scheme]
}

// Scheme is part of Source.
func (r *rotating) Scheme() signature.Scheme { return *r.scheme.Load() }

func (r *rotating) use(s signature.Scheme) { r.scheme.Store(&s) }
