package signature

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// HubSHA256Header carries the signature of HubSHA256.
const HubSHA256Header = "X-Hub-Signature-256"

const hubPrefix = "sha256="

// HubSHA256 signs as HexHMAC does and writes "sha256=" and the digest into
// X-Hub-Signature-256. Meta's platforms sign so ("Validating Payloads" in the
// documentation of Webhooks), WhatsApp among them, and so does GitHub. It signs no time.
type HubSHA256 struct{ keys keys }

// NewHubSHA256 returns the scheme under the secrets, as NewHexHMAC takes them.
func NewHubSHA256(current string, previous ...string) *HubSHA256 {
	return &HubSHA256{newKeys(sha256.New, []string{current}, previous)}
}

// Verify is part of Scheme.
func (s *HubSHA256) Verify(r Request, _ time.Time) (Secret, error) {
	value := r.Header(HubSHA256Header)
	if value == "" {
		return "", ErrMissing
	}
	digest, ok := strings.CutPrefix(value, hubPrefix)
	if !ok {
		return "", ErrMismatch
	}
	return s.keys.verifyHex(digest, r.Body)
}

// Sign returns what a sender puts into X-Hub-Signature-256. It panics without a
// secret.
func (s *HubSHA256) Sign(body []byte) string {
	return hubPrefix + hex.EncodeToString(s.keys.first(body))
}
