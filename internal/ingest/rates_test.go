package ingest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/ingest"
	"sluice/internal/source"
	"sluice/pkg/signature"
)

func TestAccept_holdsASourceToItsRate(t *testing.T) {
	now := time.Date(2025, 1, 15, 10, 0, 0, 0, time.UTC)
	s := newSetup()
	s.acceptor = ingest.New(ingest.Config{
		Publisher: s.stream, Sources: []source.Source{s.source}, Rates: map[string]float64{"plain": 0.5, "other": 9},
		Metrics: metrics.NewSet(), Now: func() time.Time { return now },
	})
	for range 5 {
		if _, err := s.accept(body("a"), "stranger"); !errors.Is(err, signature.ErrMismatch) {
			t.Fatal(err)
		}
	}
	if _, err := s.acceptSigned(body("a")); err != nil {
		t.Fatalf("strangers used it up: %v", err)
	}
	for range 2 { // who is refused uses nothing up
		o, err := s.acceptSigned(body("b"))
		var limited *ingest.LimitedError
		if !errors.As(err, &limited) || limited.Pause != 2*time.Second || o.Result != ingest.Limited {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	now = now.Add(2 * time.Second)
	if _, err := s.acceptSigned(body("b")); err != nil {
		t.Error(err)
	}
	if len(s.stream.entries) != 2 {
		t.Errorf("%d entries", len(s.stream.entries))
	}
}
