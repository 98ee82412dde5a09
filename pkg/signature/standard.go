package signature

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard.
const (
	StandardIDHeader        = "webhook-id"
	StandardTimestampHeader = "webhook-timestamp"
	StandardSignatureHeader = "webhook-signature"
)

// StandardTolerance is how far the signed time may be from now, either way. (The
// specification asks for some; five minutes is what its libraries have.)
const StandardTolerance = 5 * time.Minute

// What the specification puts before keys and signatures, by their kind.
const (
	standardSecret    = "whsec_"
	standardPublicKey = "whpk_"
	standardHMAC      = "v1,"
	standardEd25519   = "v1a,"
)

// maxStandardSignatures bounds the ed25519 signatures that are looked at: each
// costs a hash of the body before it is known who sent it.
const maxStandardSignatures = 8

// Standard is the scheme of Standard Webhooks, version 1.0.0
// (www.standardwebhooks.com): it signs id, time and raw body, with a dot between
// them, by HMAC-SHA256 or ed25519. The header may hold several signatures, of which
// one has to be right. The time must be within StandardTolerance of now.
type Standard struct {
	keys    keys
	publics []publicKey
}

type publicKey struct {
	secret Secret
	key    ed25519.PublicKey
}

// ErrStandardKey is returned for what is no key of the scheme.
var ErrStandardKey = errors.New("must be whsec_ and the secret in base64, or whpk_ and an ed25519 public key in base64; several with blanks between them")

// NewStandard returns the scheme under the current keys and those that senders may
// still use while they rotate. Each is whsec_… or whpk_…; several stand in one text
// with blanks between them. The error is ErrStandardKey.
func NewStandard(current string, previous ...string) (*Standard, error) {
	var s Standard
	secrets := map[Secret][]string{}
	for i, text := range append([]string{current}, previous...) {
		which := Previous
		if i == 0 {
			which = Current
		}
		for name := range strings.FieldsSeq(text) {
			key, isPublic, err := standardKey(name)
			if err != nil {
				return nil, err
			}
			if isPublic {
				s.publics = append(s.publics, publicKey{which, key})
			} else {
				secrets[which] = append(secrets[which], string(key))
			}
		}
	}
	s.keys = newKeys(sha256.New, secrets[Current], secrets[Previous])
	return &s, nil
}

func standardKey(text string) (key []byte, isPublic bool, err error) {
	encoded, isSecret := strings.CutPrefix(text, standardSecret)
	if !isSecret {
		encoded, isPublic = strings.CutPrefix(text, standardPublicKey)
	}
	key, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "=")) // some show it without
	if err != nil || !isSecret && !isPublic || len(key) == 0 || isPublic && len(key) != ed25519.PublicKeySize {
		return nil, false, ErrStandardKey
	}
	return key, isPublic, nil
}

// Verify is part of Scheme.
func (s *Standard) Verify(r Request, now time.Time) (Secret, error) {
	id, timestamp, signatures := r.Header(StandardIDHeader), r.Header(StandardTimestampHeader), r.Header(StandardSignatureHeader)
	if id == "" || timestamp == "" || signatures == "" {
		return "", ErrMissing
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || timestamp != strconv.FormatInt(at, 10) {
		return "", ErrMismatch
	}
	envelope := []byte(id + "." + timestamp + ".")
	secret, err := s.match(signatures, envelope, r.Body)
	if err != nil {
		return "", err
	}
	if at < now.Add(-StandardTolerance).Unix() || at > now.Add(StandardTolerance).Unix() {
		return "", ErrStale
	}
	return secret, nil
}

func (s *Standard) match(signatures string, envelope, body []byte) (Secret, error) {
	var digests, signed [][]byte
	for one := range strings.FieldsSeq(signatures) {
		if digest, ok := standardSignature(one, standardHMAC); ok {
			digests = append(digests, digest)
		} else if signature, ok := standardSignature(one, standardEd25519); ok && len(signed) < maxStandardSignatures {
			signed = append(signed, signature)
		}
	}
	if secret, err := s.keys.match(digests, envelope, body); err == nil {
		return secret, nil
	}
	return s.matchPublic(signed, envelope, body)
}

func (s *Standard) matchPublic(signatures [][]byte, envelope, body []byte) (Secret, error) {
	if len(signatures) == 0 || len(s.publics) == 0 {
		return "", ErrMismatch
	}
	content := append(envelope, body...)
	for _, public := range s.publics {
		for _, signature := range signatures {
			if ed25519.Verify(public.key, content, signature) {
				return public.secret, nil
			}
		}
	}
	return "", ErrMismatch
}

// standardSignature returns the signature in one of the parts of the header.
func standardSignature(part, kind string) ([]byte, bool) {
	encoded, ok := strings.CutPrefix(part, kind)
	if !ok {
		return nil, false
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return signature, err == nil
}

// Signs reports whether there is a secret to sign with: public keys only verify.
func (s *Standard) Signs() bool { return len(s.keys) > 0 }

// Sign returns what a sender puts into webhook-signature beside id and the time in
// seconds since 1970. It panics without a secret.
func (s *Standard) Sign(id string, at time.Time, body []byte) string {
	envelope := id + "." + strconv.FormatInt(at.Unix(), 10) + "."
	return standardHMAC + base64.StdEncoding.EncodeToString(s.keys.first([]byte(envelope), body))
}
