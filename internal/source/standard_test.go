package source_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"sluice/internal/source"
	"sluice/pkg/signature"
)

func TestStandard_isThePlainBodyInAnEnvelope(t *testing.T) {
	const current, previous = "whsec_Y3VycmVudA==", "whsec_b2xk"
	s, err := source.NewStandard(source.Secrets{Current: current, Previous: previous})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(secret string) (signature.Secret, error) {
		scheme, err := signature.NewStandard(secret)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set(signature.StandardIDHeader, "msg_1")
		h.Set(signature.StandardTimestampHeader, strconv.FormatInt(now.Unix(), 10))
		h.Set(signature.StandardSignatureHeader, scheme.Sign("msg_1", now, []byte(valid)))
		return s.Scheme().Verify(signature.Request{Header: h.Get, Body: []byte(valid)}, now)
	}
	for secret, want := range map[string]signature.Secret{current: signature.Current, previous: signature.Previous} {
		if got, err := sign(secret); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if err := s.Rotate(source.Secrets{Current: "no key"}); !errors.Is(err, signature.ErrStandardKey) {
		t.Error(err)
	}
	if got, err := sign(current); got != signature.Current || err != nil {
		t.Errorf("after a rotation that failed: %q, %v", got, err)
	}
	if err := s.Rotate(source.Secrets{Current: "whsec_bmV3", Previous: current}); err != nil {
		t.Fatal(err)
	}
	if got, err := sign(current); got != signature.Previous || err != nil {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	if _, err := sign(previous); !errors.Is(err, signature.ErrMismatch) {
		t.Errorf("a secret from before the previous: %v", err)
	}

	c, err := s.Read(source.Delivery{Body: []byte(valid)})
	if err != nil || len(c.Messages) != 1 || c.Messages[0].ID != "m1" {
		t.Errorf("%+v, %v", c, err)
	}
}
