package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

func TestStatusSoon_saysThatTheTokenIsRefused(t *testing.T) {
	s := streamtest.Start(t)
	conn, err := stream.Connect(stream.ConnConfig{URL: s.ClientURL(), Token: "another"}, streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := statusSoon(ctx, conn); err == nil || !strings.Contains(err.Error(), "NATS_TOKEN") || !strings.Contains(err.Error(), "Authorization Violation") {
		t.Errorf("it says %v", err)
	}
}
