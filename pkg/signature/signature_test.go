package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/pkg/signature"
)

var now = time.Date(2025, 1, 15, 10, 0, 0, 0, time.UTC)

// vector is one case of testdata/hmac_sha256.json.
type vector struct{ Source, Secret, Body, Digest string }

func vectors(t testing.TB) (all []vector) {
	data, err := os.ReadFile("testdata/hmac_sha256.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		body := []byte(v.Body)
		plain, hub := signature.NewHexHMAC(v.Secret), signature.NewHubSHA256(v.Secret)
		if got := plain.Sign(body); got != v.Digest {
			t.Errorf("%s: X-Signature is %s, want %s", v.Source, got, v.Digest)
		}
		if got := hub.Sign(body); got != "sha256="+v.Digest {
			t.Errorf("%s: X-Hub-Signature-256 is %s", v.Source, got)
		}
		if err := verify(plain, header(signature.HexHMACHeader, v.Digest), body); err != nil {
			t.Errorf("%s: %v", v.Source, err)
		}
		if err := verify(hub, header(signature.HubSHA256Header, "sha256="+v.Digest), body); err != nil {
			t.Errorf("%s: %v", v.Source, err)
		}
	}
}

func TestVerify_refusesEveryOtherSpelling(t *testing.T) {
	body := []byte(`{"message_id":"m1"}`)
	plain, hub := signature.NewHexHMAC("secret"), signature.NewHubSHA256("secret")
	right := plain.Sign(body)
	for name, c := range map[string]struct {
		value string
		want  error
	}{
		"absent":           {"", signature.ErrMissing},
		"upper case":       {strings.ToUpper(right), signature.ErrMismatch},
		"one digit short":  {right[:63], signature.ErrMismatch},
		"one digit long":   {right + "0", signature.ErrMismatch},
		"blank before":     {" " + right, signature.ErrMismatch},
		"not hexadecimal":  {strings.Repeat("g", 64), signature.ErrMismatch},
		"prefix of hub":    {"sha256=" + right, signature.ErrMismatch},
		"other body":       {plain.Sign([]byte("{}")), signature.ErrMismatch},
		"other secret":     {signature.NewHexHMAC("Secret").Sign(body), signature.ErrMismatch},
		"bytes, not digit": {strings.Repeat("\x00", 64), signature.ErrMismatch},
		"two of them":      {right + "," + right, signature.ErrMismatch},
	} {
		if err := verify(plain, header(signature.HexHMACHeader, c.value), body); !errors.Is(err, c.want) {
			t.Errorf("X-Signature, %s: %v, want %v", name, err, c.want)
		}
	}
	for name, value := range map[string]string{
		"no prefix": right, "other prefix": "sha1=" + right, "upper-case prefix": "SHA256=" + right,
		"upper case": "sha256=" + strings.ToUpper(right), "prefix alone": "sha256=",
	} {
		if err := verify(hub, header(signature.HubSHA256Header, value), body); !errors.Is(err, signature.ErrMismatch) {
			t.Errorf("X-Hub-Signature-256, %s: %v", name, err)
		}
	}
}

func TestVerify_tellsWhichSecretASenderUses(t *testing.T) {
	body := []byte("{}")
	s := signature.FirstOf{signature.NewHexHMAC("new", "", "old", "older")}
	for secret, want := range map[string]signature.Secret{"new": signature.Current, "old": signature.Previous, "older": signature.Previous, "oldest": ""} {
		r := signature.Request{Header: header(signature.HexHMACHeader, signature.NewHexHMAC(secret).Sign(body)), Body: body}
		got, err := s.Verify(r, now)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("secret %q: %q, %v, want %q", secret, got, err, want)
		}
	}
}

func TestVerify_refusesEverythingWithoutASecret(t *testing.T) {
	body := []byte("{}")
	mac := hmac.New(sha256.New, nil)
	mac.Write(body)
	value := hex.EncodeToString(mac.Sum(nil))
	for _, s := range []*signature.HexHMAC{signature.NewHexHMAC(""), signature.NewHexHMAC("", ""), signature.NewHexHMAC("a", "")} {
		if err := verify(s, header(signature.HexHMACHeader, value), body); !errors.Is(err, signature.ErrMismatch) {
			t.Errorf("the empty secret was accepted: %v", err)
		}
	}
}

func TestFirstOf_takesTheSchemeWhoseSignatureIsThere(t *testing.T) {
	body := []byte("{}")
	plain, hub := signature.NewHexHMAC("s"), signature.NewHubSHA256("s")
	either := signature.FirstOf{plain, hub}
	for name, c := range map[string]struct {
		plain, hub string
		want       error
	}{
		"neither":                {"", "", signature.ErrMissing},
		"the first":              {plain.Sign(body), "", nil},
		"the second":             {"", hub.Sign(body), nil},
		"both":                   {plain.Sign(body), hub.Sign(body), nil},
		"a wrong first decides":  {"no", hub.Sign(body), signature.ErrMismatch},
		"a right first decides":  {plain.Sign(body), "no", nil},
		"a wrong second decides": {"", "sha256=no", signature.ErrMismatch},
	} {
		h := http.Header{}
		h.Set(signature.HexHMACHeader, c.plain)
		h.Set(signature.HubSHA256Header, c.hub)
		if err := verify(either, h.Get, body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_keepsGoroutinesApart(t *testing.T) {
	s := signature.NewHexHMAC("s")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := []byte(strings.Repeat("x", 100+i))
			value := s.Sign(body)
			for range 200 {
				if err := verify(s, header(signature.HexHMACHeader, value), body); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzVerify: a body verifies under a value exactly when the value is its
// lower-case digest.
func FuzzVerify(f *testing.F) {
	s := signature.NewHexHMAC("secret")
	f.Add([]byte("{}"), s.Sign([]byte("{}")))
	f.Add([]byte("{}"), strings.ToUpper(s.Sign([]byte("{}"))))
	f.Add([]byte(""), "")
	f.Fuzz(func(t *testing.T, body []byte, value string) {
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write(body)
		want := value == hex.EncodeToString(mac.Sum(nil))
		if got := verify(s, header(signature.HexHMACHeader, value), body) == nil; got != want {
			t.Fatalf("%q under %q: accepted %v, want %v", body, value, got, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(strings.Repeat("x", 300))
	s := signature.NewHexHMAC("secret")
	h := header(signature.HexHMACHeader, s.Sign(body))
	b.ReportAllocs()
	for b.Loop() {
		if verify(s, h, body) != nil {
			b.Fatal("refused")
		}
	}
}

// verify is for schemes that look at header and body only.
func verify(s signature.Scheme, header func(string) string, body []byte) error {
	_, err := s.Verify(signature.Request{Header: header, Body: body}, now)
	return err
}

// header is a request with one header.
func header(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}
