package signature_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"

	peer "github.com/twilio/twilio-go/client"

	"sluice/pkg/signature"
)

// From Twilio's documentation of request validation, and the tests of its
// libraries: the auth token is 12345.
const (
	twilioURL   = "https://mycompany.com/myapp.php"
	twilioQuery = "?foo=1&bar=2"
	twilioToken = "12345"
	twilioForm  = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&Reason=Participant&ReasonConferenceEnded=test&To=%2B18005551212"
	twilioJSON  = `{"property": "value", "boolean": true}`
	twilioHash  = "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
)

func TestTwilio_vectors(t *testing.T) {
	for name, c := range map[string]struct{ url, query, body, value string }{
		"form":                 {twilioURL, twilioQuery, twilioForm, "vOEb5UThFn24KEfnOFLQY2AE5FY="},
		"form, in any order":   {twilioURL, twilioQuery, backwards(twilioForm), "vOEb5UThFn24KEfnOFLQY2AE5FY="},
		"another port":         {"https://mycompany.com:1234/myapp.php", twilioQuery, twilioForm, "vOEb5UThFn24KEfnOFLQY2AE5FY="},
		"http":                 {"http://mycompany.com/myapp.php", twilioQuery, twilioForm, "n2xBNyzSW7rfYStDtOFiFMv7qNo="},
		"another form":         {twilioURL, twilioQuery, "property=value&boolean=true", "NBdBDr/T/lgjI+tlgpXjKZQZs/k="},
		"JSON":                 {twilioURL, twilioQuery + "&" + twilioHash, twilioJSON, "a9nBmqA0ju/hNViExpshrM61xv4="},
		"JSON, nothing beside": {twilioURL, "?" + twilioHash, twilioJSON, "y77kIzt2vzLz71DgmJGsen2scGs="},
	} {
		s := signature.NewTwilio([]string{"https://elsewhere.example/", c.url}, twilioToken)
		if err := verifyTwilio(s, "/behind/a/proxy"+c.query, c.body, c.value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func backwards(form string) string {
	var b []string
	for param := range strings.SplitSeq(form, "&") {
		b = append([]string{param}, b...)
	}
	return strings.Join(b, "&")
}

func TestTwilio_refuses(t *testing.T) {
	const right = "vOEb5UThFn24KEfnOFLQY2AE5FY="
	many := strings.Repeat("a=1&", 1000) + "a=1"
	s := signature.NewTwilio([]string{twilioURL}, twilioToken)
	for name, c := range map[string]struct {
		target, body, value string
		want                error
	}{
		"none":                     {twilioQuery, twilioForm, "", signature.ErrMissing},
		"another query":            {"?foo=1", twilioForm, right, signature.ErrMismatch},
		"no query":                 {"", twilioForm, right, signature.ErrMismatch},
		"another form":             {twilioQuery, twilioForm + "&a=b", right, signature.ErrMismatch},
		"no base64":                {twilioQuery, twilioForm, "vOEb5UThFn24KEfnOFLQY2AE5FY", signature.ErrMismatch},
		"another spelling of bits": {twilioQuery, twilioForm, "vOEb5UThFn24KEfnOFLQY2AE5FZ=", signature.ErrMismatch},
		"no form":                  {twilioQuery, "%zz", right, signature.ErrMismatch},
		"parameters without end":   {"", many, signature.NewTwilio([]string{twilioURL}, twilioToken).Sign("", []byte("a=1")), signature.ErrMismatch},
		"JSON of another digest":   {"?" + twilioHash, twilioJSON + " ", "y77kIzt2vzLz71DgmJGsen2scGs=", signature.ErrMismatch},
	} {
		if err := verifyTwilio(s, c.target, c.body, c.value); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	other := signature.NewTwilio([]string{"https://mycompany.com/other"}, twilioToken)
	if err := verifyTwilio(other, twilioQuery, twilioForm, right); !errors.Is(err, signature.ErrMismatch) {
		t.Errorf("another URL: %v", err)
	}
	if err := verifyTwilio(signature.NewTwilio([]string{twilioURL}, ""), twilioQuery, twilioForm, right); !errors.Is(err, signature.ErrMismatch) {
		t.Errorf("without a token: %v", err)
	}
}

func verifyTwilio(s signature.Scheme, target, body, value string) error {
	_, err := s.Verify(signature.Request{Header: header(signature.TwilioHeader, value), Target: target, Body: []byte(body)}, now)
	return err
}

// FuzzTwilio: what is signed is what Twilio's own library takes, and nothing else
// verifies.
func FuzzTwilio(f *testing.F) {
	f.Add(twilioQuery, []byte(twilioForm), "vOEb5UThFn24KEfnOFLQY2AE5FY=")
	f.Add("?"+twilioHash, []byte(twilioJSON), "y77kIzt2vzLz71DgmJGsen2scGs=")
	f.Add("", []byte("a=%C3%A9&b=+&a=1"), "")
	s := signature.NewTwilio([]string{twilioURL}, twilioToken)
	theirs := peer.NewRequestValidator(twilioToken)
	f.Fuzz(func(t *testing.T, target string, body []byte, value string) {
		sum := sha256.Sum256(body)
		withHash := "?" + signature.TwilioBodyHash + "=" + hex.EncodeToString(sum[:])
		for _, target := range []string{target, "?a=b", withHash} {
			_, query, hasQuery := strings.Cut(target, "?")
			full := twilioURL
			if hasQuery {
				full += "?" + query
			}
			accepted := verifyTwilio(s, target, string(body), value) == nil
			if parsed, err := url.Parse(full); accepted && err == nil && parsed.String() == full && !repeats(body) && !theirs.ValidateBody(full, body, value) {
				t.Fatalf("%q %q %q: we accept, they do not", target, body, value)
			}
			signed := s.Sign(target, body)
			if accepted && value != signed && otherPortSigned(target, body) != value {
				t.Fatalf("%q %q: accepted %q, signed %q", target, body, value, signed)
			}
			if _, err := url.ParseQuery(string(body)); err != nil && signature.TwilioDigestOf(target) == "" {
				continue
			}
			if signature.TwilioDigestOf(target) == "" || target == withHash {
				if err := verifyTwilio(s, target, string(body), signed); err != nil {
					t.Fatalf("%q %q: what we sign is refused: %v", target, body, err)
				}
			}
		}
	})
}

func otherPortSigned(target string, body []byte) string {
	return signature.NewTwilio([]string{"https://mycompany.com:443/myapp.php"}, twilioToken).Sign(target, body)
}

// repeats reports whether a form has a parameter twice: Twilio's libraries do not
// agree on what is signed then. (The one in Go takes the first.)
func repeats(body []byte) bool {
	form, _ := url.ParseQuery(string(body))
	for _, values := range form {
		if len(values) > 1 {
			return true
		}
	}
	return false
}
