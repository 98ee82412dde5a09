package signature

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// HexHMACHeader carries the signature of HexHMAC.
const HexHMACHeader = "X-Signature"

// HexHMAC signs the raw body with HMAC-SHA256 (RFC 2104) and writes the digest as
// 64 lower-case hexadecimal digits into X-Signature. It signs no time.
type HexHMAC struct{ keys keys }

// NewHexHMAC returns the scheme under the current secret and those that senders
// may still use while they rotate. Empty secrets are left out; without any secret
// nothing verifies.
func NewHexHMAC(current string, previous ...string) *HexHMAC {
	return &HexHMAC{newKeys(sha256.New, []string{current}, previous)}
}

// Verify is part of Scheme.
func (s *HexHMAC) Verify(r Request, _ time.Time) (Secret, error) {
	value := r.Header(HexHMACHeader)
	if value == "" {
		return "", ErrMissing
	}
	return s.keys.verifyHex(value, r.Body)
}

// Sign returns what a sender puts into X-Signature. It panics without a secret.
func (s *HexHMAC) Sign(body []byte) string {
	return hex.EncodeToString(s.keys.first(body))
}

func (ks keys) verifyHex(value string, body []byte) (Secret, error) {
	var digest [sha256.Size]byte
	if !decodeHex(&digest, value) {
		return "", ErrMismatch
	}
	return ks.match([][]byte{digest[:]}, body)
}
