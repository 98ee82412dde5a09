// Package operator tells operators from strangers by OPERATOR_TOKEN: the token
// itself, the sessions that a browser gets for it, and how often a stranger may
// guess. It refuses to know how a request carries either.
package operator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// Errors of a Guard.
var (
	// ErrStranger means that the token is not the operator's.
	ErrStranger = errors.New("this needs the operator's token")

	// ErrTooManyGuesses means that the token was not even looked at: there were too
	// many wrong ones from this address lately.
	ErrTooManyGuesses = errors.New("too many wrong tokens from this address")
)

// SessionTime is how long a session lasts.
const SessionTime = 12 * time.Hour

// Guard knows the token. Its methods may be called by several goroutines.
type Guard struct {
	key     []byte // of the sums that tokens are compared by
	token   []byte // its sum
	session []byte // key of the sessions
	now     func() time.Time
	guesses guesses
}

// NewGuard returns a Guard for a token, which must not be empty.
func NewGuard(token string, now func() time.Time) *Guard {
	if token == "" {
		panic("operator: a guard has a token")
	}
	g := &Guard{key: []byte("sluice operator token"), now: now}
	g.token = sum(g.key, []byte(token))
	// Made from the token, so that every api with the same token takes the session,
	// restarts included, and a new token ends them all.
	g.session = sum([]byte(token), []byte("sluice operator session"))
	return g
}

func sum(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// Check compares a token that came from an address with the operator's, in a time
// that tells nothing of either. The error is ErrStranger or ErrTooManyGuesses.
func (g *Guard) Check(from netip.Addr, token string) error {
	now := g.now()
	if g.guesses.spent(from, now) {
		return ErrTooManyGuesses
	}
	if !hmac.Equal(sum(g.key, []byte(token)), g.token) {
		g.guesses.count(from, now)
		return ErrStranger
	}
	return nil
}

const expiryBytes = 8

// NewSession returns what a browser shows instead of the token, for SessionTime.
func (g *Guard) NewSession() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(g.now().Add(SessionTime).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, sum(g.session, b)...))
}

// IsSession reports whether s is a session that has not ended. Nobody can guess
// one, so nobody is slowed down.
func (g *Guard) IsSession(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != expiryBytes+sha256.Size {
		return false
	}
	expiry := binary.BigEndian.Uint64(b)
	return hmac.Equal(b[expiryBytes:], sum(g.session, b[:expiryBytes])) && uint64(g.now().Unix()) < expiry
}
