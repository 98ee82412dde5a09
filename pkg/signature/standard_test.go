package signature_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	peer "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"sluice/pkg/signature"
)

// The vector in the tests of the specification's own libraries.
const (
	standardKey   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	standardID    = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	standardBody  = `{"test": 2432232314}`
	standardValue = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var standardTime = time.Unix(1614265330, 0)

func newStandard(t testing.TB, current string, previous ...string) *signature.Standard {
	s, err := signature.NewStandard(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func standardHeader(id, timestamp, value string) func(string) string {
	h := http.Header{}
	for name, v := range map[string]string{signature.StandardIDHeader: id, signature.StandardTimestampHeader: timestamp, signature.StandardSignatureHeader: value} {
		if v != "" {
			h.Set(name, v)
		}
	}
	return h.Get
}

func verifyStandard(s *signature.Standard, timestamp, value string, now time.Time) (signature.Secret, error) {
	return s.Verify(signature.Request{Header: standardHeader(standardID, timestamp, value), Body: []byte(standardBody)}, now)
}

func TestStandard_vector(t *testing.T) {
	s := newStandard(t, standardKey)
	if got := s.Sign(standardID, standardTime, []byte(standardBody)); got != standardValue {
		t.Errorf("signed %s", got)
	}
	if _, err := verifyStandard(s, "1614265330", standardValue, standardTime); err != nil {
		t.Error(err)
	}
}

func TestStandard_timeIsCheckedOnceTheSignatureHolds(t *testing.T) {
	s := newStandard(t, standardKey)
	for late, want := range map[time.Duration]error{
		0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil,
		5*time.Minute + time.Second: signature.ErrStale, -5*time.Minute - time.Second: signature.ErrStale, 1e6 * time.Hour: signature.ErrStale,
	} {
		if _, err := verifyStandard(s, "1614265330", standardValue, standardTime.Add(late)); !errors.Is(err, want) {
			t.Errorf("%v late: %v, want %v", late, err, want)
		}
	}
	if _, err := verifyStandard(s, "1614265330", "v1,AAAA", standardTime.Add(time.Hour)); !errors.Is(err, signature.ErrMismatch) {
		t.Errorf("wrong and late: %v", err)
	}
	for _, timestamp := range []string{"9223372036854775807", "-9223372036854775808"} {
		var at int64
		fmt.Sscan(timestamp, &at)
		value := s.Sign(standardID, time.Unix(at, 0), []byte(standardBody))
		if _, err := verifyStandard(s, timestamp, value, standardTime); !errors.Is(err, signature.ErrStale) {
			t.Errorf("at %s: %v", timestamp, err)
		}
	}
}

func TestStandard_oneOfSeveralSignatures(t *testing.T) {
	public, private, err := ed25519.GenerateKey(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	content := standardID + ".1614265330." + standardBody
	asymmetric := "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(content)))
	publicKey := "whpk_" + base64.StdEncoding.EncodeToString(public)
	const old = "whsec_b2xk"
	previous := newStandard(t, old).Sign(standardID, standardTime, []byte(standardBody))
	both := newStandard(t, standardKey+"  "+publicKey, old)
	filler := strings.Repeat("v1a,"+base64.StdEncoding.EncodeToString(make([]byte, 64))+" ", 8)

	for name, c := range map[string]struct {
		scheme *signature.Standard
		value  string
		want   signature.Secret
	}{
		"the first":                      {both, standardValue + " v1,AAAA", signature.Current},
		"the last":                       {both, "v1,AAAA v2,x " + standardValue, signature.Current},
		"the previous":                   {both, previous, signature.Previous},
		"both":                           {both, previous + " " + standardValue, signature.Current},
		"ed25519":                        {both, asymmetric, signature.Current},
		"ed25519, previous":              {newStandard(t, standardKey, publicKey), asymmetric, signature.Previous},
		"ed25519 behind a wrong one":     {both, "v1,AAAA v1a,AAAA " + asymmetric, signature.Current},
		"ed25519 behind too many":        {both, filler + asymmetric, ""},
		"no version":                     {both, strings.TrimPrefix(standardValue, "v1,"), ""},
		"as another version":             {both, "v1a," + strings.TrimPrefix(standardValue, "v1,"), ""},
		"ed25519 as HMAC":                {both, "v1," + strings.TrimPrefix(asymmetric, "v1a,"), ""},
		"of a public key that is no key": {newStandard(t, standardKey), asymmetric, ""},
		"of a secret that is not there":  {newStandard(t, ""), standardValue, ""},
		"commas between":                 {both, "v1,AAAA," + standardValue, ""},
		"nothing behind the version":     {both, "v1, v1a,", ""},
		"cut":                            {both, standardValue[:len(standardValue)-4], ""},
	} {
		got, err := verifyStandard(c.scheme, "1614265330", c.value, standardTime)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, signature.ErrMismatch) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestStandard_needsEveryHeader(t *testing.T) {
	s := newStandard(t, standardKey)
	for _, h := range [][3]string{{"", "1614265330", standardValue}, {standardID, "", standardValue}, {standardID, "1614265330", ""}} {
		if _, err := s.Verify(signature.Request{Header: standardHeader(h[0], h[1], h[2]), Body: []byte(standardBody)}, standardTime); !errors.Is(err, signature.ErrMissing) {
			t.Errorf("%q: %v", h, err)
		}
	}
	for _, timestamp := range []string{"now", "+1614265330", "01614265330", "1614265330.0", "99999999999999999999"} {
		if _, err := verifyStandard(s, timestamp, standardValue, standardTime); !errors.Is(err, signature.ErrMismatch) {
			t.Errorf("at %q: %v", timestamp, err)
		}
	}
}

func TestNewStandard_readsKeysWithAndWithoutPadding(t *testing.T) {
	body := []byte("{}")
	for padded, bare := range map[string]string{"whsec_c2VjcmV0cw==": "whsec_c2VjcmV0cw", "whsec_c2VjcmU=": "whsec_c2VjcmU"} {
		signed := newStandard(t, padded).Sign("msg_1", now, body)
		if got := newStandard(t, bare).Sign("msg_1", now, body); got != signed {
			t.Errorf("%s and %s are not one key", padded, bare)
		}
	}
	key := base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize))
	for _, only := range []string{"whpk_" + key, "whpk_" + strings.TrimRight(key, "="), ""} {
		if newStandard(t, only).Signs() {
			t.Errorf("%q signs", only)
		}
	}
	if !newStandard(t, "whpk_"+key+" whsec_c2VjcmU").Signs() {
		t.Error("a secret behind a public key does not sign")
	}
}

func TestNewStandard_refusesWhatIsNoKey(t *testing.T) {
	for _, text := range []string{"secret", "whsec_", "whsec_?", "whpk_c2hvcnQ=", "whsk_AAAA", standardKey + " other", "whsec_ " + standardKey} {
		if _, err := signature.NewStandard(text); !errors.Is(err, signature.ErrStandardKey) {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := signature.NewStandard(standardKey, text); !errors.Is(err, signature.ErrStandardKey) {
			t.Errorf("previous %q: %v", text, err)
		}
	}
}

// FuzzStandard: the specification's own library and this one sign alike, and take
// the same for signed.
func FuzzStandard(f *testing.F) {
	f.Add(standardID, "1614265330", standardValue, []byte(standardBody))
	f.Add(standardID, "1614265330", "v1,AAAA v1a,AAAA "+standardValue, []byte(standardBody))
	f.Add("", "x", "v1,", []byte{})
	s := newStandard(f, standardKey)
	theirs, err := peer.NewWebhook(standardKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, timestamp, value string, body []byte) {
		verify := func(value string) error {
			_, err := s.Verify(signature.Request{Header: standardHeader(id, timestamp, value), Body: body}, standardTime)
			return err
		}
		h := http.Header{}
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", timestamp)
		h.Set("webhook-signature", value)
		if err := verify(value); (err == nil || errors.Is(err, signature.ErrStale)) && theirs.VerifyIgnoringTimestamp(body, h) != nil {
			t.Fatalf("%q %q %q %q: we accept, they do not", id, timestamp, value, body)
		}
		ours := s.Sign(id, standardTime, body)
		if signed, err := theirs.Sign(id, standardTime, body); err != nil || signed != ours {
			t.Fatalf("they sign %q, %v, we %q", signed, err, ours)
		}
		if timestamp == "1614265330" && id != "" {
			if err := verify("v1a,x " + ours); err != nil {
				t.Fatal(err)
			}
		}
	})
}
