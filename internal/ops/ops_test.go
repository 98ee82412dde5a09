package ops_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/ops"
)

func pass(context.Context) error { return nil }

func TestReport_asksTheChecksOfOneSideOrOfBoth(t *testing.T) {
	var h ops.Health
	h.Add(ops.Ingest, "stream", pass)
	h.Add(ops.Query, "database", func(context.Context) error { return errors.New("no such file") })

	tests := []struct {
		side   ops.Side
		ready  bool
		checks map[string]string
	}{
		{ops.Ingest, true, map[string]string{"stream": "ok"}},
		{ops.Query, false, map[string]string{"database": "no such file"}},
		{"", false, map[string]string{"stream": "ok", "database": "no such file"}},
	}
	for _, test := range tests {
		ready, checks := h.Report(t.Context(), test.side)
		if ready != test.ready || !maps.Equal(checks, test.checks) {
			t.Errorf("side %q: got %v %v, want %v %v", test.side, ready, checks, test.ready, test.checks)
		}
	}
}

func TestReport_boundsACheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var h ops.Health
		h.Add(ops.Ingest, "stream", pass)
		h.Add(ops.Query, "database", func(context.Context) error { <-release; return nil })

		began := time.Now()
		ready, checks := h.Report(t.Context(), "")
		if ready || checks["stream"] != "ok" || checks["database"] != "no answer within 1s" {
			t.Errorf("got %v %v", ready, checks)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		close(release)
	})
}

func TestReport_notReadyWhenStopping(t *testing.T) {
	var h ops.Health
	h.Add(ops.Ingest, "stream", pass)
	h.Stopping()
	for _, side := range []ops.Side{"", ops.Ingest, ops.Query} {
		if ready, checks := h.Report(t.Context(), side); ready || checks["process"] != "stopping" {
			t.Errorf("side %q: got %v %v", side, ready, checks)
		}
	}
}

func TestHandler(t *testing.T) {
	var h ops.Health
	h.Add(ops.Ingest, "stream", pass)
	h.Add(ops.Query, "database", func(context.Context) error { return errors.New("no such file") })
	handler := ops.Handler(&h, func(w io.Writer) { _, _ = io.WriteString(w, "a 1\n") })

	tests := []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/health/live", 200, `{"status":"ok"}`},
		{"GET", "/health/ready", 503, `{"status":"not ready","checks":{"database":"no such file","stream":"ok"}}`},
		{"GET", "/health/ready/ingest", 200, `{"status":"ready","checks":{"stream":"ok"}}`},
		{"GET", "/health/ready/query", 503, `{"status":"not ready","checks":{"database":"no such file"}}`},
		{"GET", "/metrics", 200, "a 1"},
		{"GET", "/messages", 404, `{"detail":"Not Found"}`},
		{"POST", "/metrics", 405, `{"detail":"Method Not Allowed"}`},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != test.status || got != test.body {
			t.Errorf("%s %s: got %d %s, want %d %s", test.method, test.path, w.Code, got, test.status, test.body)
		}
	}
}

func TestWriteMetrics(t *testing.T) {
	one, two := metrics.NewSet(), metrics.NewSet()
	one.NewCounter(`a_total{result="x"}`).Add(3)
	two.NewPrometheusHistogram("b_seconds").Update(0.2)

	var b strings.Builder
	ops.WriteMetrics(&b, one, two)
	page := b.String()
	for _, want := range []string{
		`sluice_build_info{version="`, "# TYPE a_total counter\n", `a_total{result="x"} 3` + "\n",
		"# TYPE b_seconds histogram\n", "b_seconds_count 1\n", "go_goroutines ", "process_resident_memory_bytes ", "process_open_fds ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in:\n%s", want, page)
		}
	}
}
