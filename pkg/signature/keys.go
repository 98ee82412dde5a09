package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// keys are the secrets that a scheme accepts, each with a pool of HMAC states: a
// used state starts over without hashing the secret again. Those to sign with
// come first.
type keys []key

type key struct {
	secret Secret
	states *sync.Pool // of *state
}

// newKeys leaves out empty secrets: anybody could sign with one.
func newKeys(algorithm func() hash.Hash, current, previous []string) keys {
	var ks keys
	add := func(which Secret, secrets []string) {
		for _, secret := range secrets {
			if secret != "" {
				ks = append(ks, key{which, &sync.Pool{New: func() any {
					return &state{mac: hmac.New(algorithm, []byte(secret))}
				}}})
			}
		}
	}
	add(Current, current)
	add(Previous, previous)
	return ks
}

// state is an HMAC and room for its result, so that a signature costs no memory.
type state struct {
	mac hash.Hash
	sum [sha256.Size]byte // the longest there is here
}

func (st *state) digest(parts ...[]byte) []byte {
	st.mac.Reset()
	for _, part := range parts {
		st.mac.Write(part)
	}
	return st.mac.Sum(st.sum[:0])
}

// match returns which of the secrets gives the parts, one behind the other, one
// of the digests.
func (ks keys) match(digests [][]byte, parts ...[]byte) (Secret, error) {
	for i := range ks {
		st := ks[i].states.Get().(*state)
		sum := st.digest(parts...)
		equal := false
		for _, digest := range digests {
			equal = hmac.Equal(sum, digest) || equal
		}
		ks[i].states.Put(st)
		if equal {
			return ks[i].secret, nil
		}
	}
	return "", ErrMismatch
}

// first returns the digest under the first secret, which is the one to sign with.
func (ks keys) first(parts ...[]byte) []byte {
	if len(ks) == 0 {
		panic("signature: signing without a secret")
	}
	st := ks[0].states.Get().(*state)
	defer ks[0].states.Put(st)
	return append([]byte(nil), st.digest(parts...)...)
}

// decodeHex writes the digest that s spells to dst. Only lower-case digits are
// taken, so that a signature has one spelling.
func decodeHex(dst *[sha256.Size]byte, s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range dst {
		high, low := nibble(s[2*i]), nibble(s[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

// nibble returns the value of a hexadecimal digit, 0xff when c is none.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
