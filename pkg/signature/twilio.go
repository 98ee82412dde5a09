package signature

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"
)

// TwilioHeader carries the signature of Twilio.
const TwilioHeader = "X-Twilio-Signature"

// TwilioBodyHash is the parameter of the URL that holds the digest of a body which
// is no form.
const TwilioBodyHash = "bodySHA256"

// maxTwilioParams bounds the parameters of a form, which are sorted before it is
// known who sent them. Twilio's messages have some thirty.
const maxTwilioParams = 1000

// Twilio signs the URL that it was given and the parameters of its form, sorted by
// name, names and values one behind the other, with HMAC-SHA1, and writes the
// digest as base64 into X-Twilio-Signature. Of a body that is no form, it signs
// the URL only, to which it has added the body's SHA-256 as bodySHA256. (Twilio's
// documentation: "Security", "Validating requests".) It signs no time.
type Twilio struct {
	keys keys
	urls [][]byte // without the query
}

// NewTwilio returns the scheme for an api that Twilio reaches by one of the URLs,
// without their query, under the auth tokens as NewHexHMAC takes secrets. Whether
// Twilio signs a port is not for sure, so both is taken, as its libraries do.
func NewTwilio(urls []string, current string, previous ...string) *Twilio {
	t := &Twilio{keys: newKeys(sha1.New, []string{current}, previous)}
	for _, u := range urls {
		t.urls = append(t.urls, []byte(u))
		if other, ok := otherPort(u); ok {
			t.urls = append(t.urls, []byte(other))
		}
	}
	return t
}

// otherPort returns a URL without its port, and one that has none with that of its
// scheme.
func otherPort(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "", false
	}
	switch port := u.Port(); {
	case port != "":
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	case u.Scheme == "http":
		u.Host += ":80"
	default:
		u.Host += ":443"
	}
	return u.String(), true
}

// Verify is part of Scheme.
func (s *Twilio) Verify(r Request, _ time.Time) (Secret, error) {
	value := r.Header(TwilioHeader)
	if value == "" {
		return "", ErrMissing
	}
	digest, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(digest) != sha1.Size {
		return "", ErrMismatch
	}
	query := queryOf(r.Target)
	params, ok := signedParams(query, r.Body)
	if !ok {
		return "", ErrMismatch
	}
	for _, u := range s.urls {
		if secret, err := s.keys.match([][]byte{digest}, u, []byte(query), params); err == nil {
			return secret, nil
		}
	}
	return "", ErrMismatch
}

// Sign returns what Twilio puts into X-Twilio-Signature for the first of the URLs.
// Of target it signs the query, which holds bodySHA256 unless body is a form. It
// panics without a secret or a URL.
func (s *Twilio) Sign(target string, body []byte) string {
	query := queryOf(target)
	params, _ := signedParams(query, body)
	return base64.StdEncoding.EncodeToString(s.keys.first(s.urls[0], []byte(query), params))
}

// queryOf returns the query of a target with its question mark.
func queryOf(target string) string {
	if i := strings.IndexByte(target, '?'); i >= 0 {
		return target[i:]
	}
	return ""
}

// signedParams returns what is signed of a body behind the URL; ok is false when
// the body is not the one whose digest the URL has, or no form.
func signedParams(query string, body []byte) (params []byte, ok bool) {
	if digest := TwilioDigestOf(query); digest != "" {
		sum := sha256.Sum256(body)
		return nil, subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(digest)) == 1
	}
	if bytes.Count(body, []byte("&")) >= maxTwilioParams {
		return nil, false
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := form[name]
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			params = append(append(params, name...), value...)
		}
	}
	return params, true
}

// TwilioDigestOf returns the bodySHA256 in the query of a target, empty when the
// body is a form.
func TwilioDigestOf(target string) string {
	if !strings.Contains(target, TwilioBodyHash) {
		return ""
	}
	values, err := url.ParseQuery(strings.TrimPrefix(queryOf(target), "?"))
	if err != nil {
		return ""
	}
	return values.Get(TwilioBodyHash)
}
