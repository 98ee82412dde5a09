package ops_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/internal/ops"
)

func TestProbe_asksTheProgramThatListensThere(t *testing.T) {
	var broken error
	health := &ops.Health{}
	health.Add(ops.Query, "database", func(context.Context) error { return broken })
	ln, err := net.Listen("tcp", ":0") // every address, as the api has it in a container
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: ops.Handler(health, nil)}}
	server.Start()
	defer server.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())

	for _, addr := range []string{":" + port, "0.0.0.0:" + port, "127.0.0.1:" + port, "localhost:" + port} {
		body, err := ops.Probe(t.Context(), addr)
		if err != nil || !strings.Contains(body, `"status":"ready"`) {
			t.Errorf("%s: %q %v", addr, body, err)
		}
	}
	broken = errors.New("no such file")
	if _, err := ops.Probe(t.Context(), ":"+port, "ready"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("not ready: %v", err)
	}
	for _, what := range []string{"live", "ready/ingest"} {
		if _, err := ops.Probe(t.Context(), ":"+port, what); err != nil {
			t.Errorf("not ready but %s: %v", what, err)
		}
	}
	if _, err := ops.Probe(t.Context(), ":"+port, "alive"); !errors.Is(err, ops.ErrNoProbe) {
		t.Errorf("alive: %v", err)
	}
}

func TestProbe_saysWhyThereIsNoAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	for _, addr := range []string{addr, "8000"} {
		if _, err := ops.Probe(t.Context(), addr, "live"); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
