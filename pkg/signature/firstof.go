package signature

import (
	"errors"
	"time"
)

// FirstOf accepts several schemes in place of one another: the first whose
// signature is there decides, so a wrong one is not made good by another.
type FirstOf []Scheme

// Verify is part of Scheme.
func (schemes FirstOf) Verify(r Request, now time.Time) (Secret, error) {
	for _, s := range schemes {
		if secret, err := s.Verify(r, now); !errors.Is(err, ErrMissing) {
			return secret, err
		}
	}
	return "", ErrMissing
}
