package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/httpapi"
	"sluice/pkg/message"
)

func TestRequestID_isTheCallersIfSane(t *testing.T) {
	a := start(t)
	for _, id := range []string{"r1", "550e8400-e29b-41d4-a716-446655440000", "a.b_c:d/e+f=@~", strings.Repeat("x", 128)} {
		if got := a.get("/stats", "X-Request-ID", id); got.header.Get("X-Request-ID") != id {
			t.Errorf("%s: %+v", id, got.header)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\"b", "a\tb", "é", "{}", "<b>", strings.Repeat("x", 129)} {
		got := a.get("/nothing", "X-Request-ID", id).header.Get("X-Request-ID")
		if got == "" || got == id || seen[got] {
			t.Errorf("%q: %q", id, got)
		}
		seen[got] = true
	}
	a.postSigned(delivery("m1"), "X-Request-ID", "r1")
	if got := a.entries[0].RequestID; got != "r1" {
		t.Errorf("published as %q", got)
	}
}

func TestTrace_isPublishedAndLogged(t *testing.T) {
	a := start(t)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a.postSigned(delivery("m1"), "traceparent", trace)
	a.postSigned(delivery("m2"), "traceparent", "00-not-a-trace")
	a.postSigned(delivery("m3"))
	for i, want := range []string{trace, "", ""} {
		if got := a.entries[i].Trace; got != want {
			t.Errorf("%d is published with %q", i, got)
		}
	}
	eventually(t, func() bool { return len(a.log.requests(t)) == 3 }, func() string { return "no log" })
	for i, want := range []any{"0af7651916cd43dd8448eb211c80319c", nil, nil} {
		if got := a.log.requests(t)[i]["trace_id"]; got != want {
			t.Errorf("%d is logged with %v", i, got)
		}
	}
}

func TestLog_oneLineForEachRequest(t *testing.T) {
	a := start(t, limited)
	a.postSigned(delivery("m/1"), "X-Request-ID", "r1")
	a.postSigned(delivery("m/1"))
	a.post(delivery("m2"))
	a.postSigned(`{"message_id":"m3"}`)
	a.postSigned(`garbage`)
	a.post(sized(maxBody + 1))
	a.change(func() { a.publishErr = errors.New("disk gone") })
	a.postSigned(delivery("m4"))
	a.get("/messages?q=secretword")
	a.get("/messages/m%2F1?x=y")
	a.get("/nothing/here?x=y")
	a.get("/health/live")
	a.get("/metrics")
	a.do("DELETE", "/stats", "")
	a.do("BREW", "/stats", "")

	want := []string{
		"INFO POST /webhook 200 m/1 false created <nil>",
		"INFO POST /webhook 200 m/1 true duplicate <nil>",
		"INFO POST /webhook 401 <nil> false invalid_signature no signature",
		"INFO POST /webhook 422 m3 false validation_error invalid message: from is missing; to is missing; ts is missing",
		"INFO POST /webhook 422 <nil> false validation_error invalid message: must be JSON, and is not at byte 0",
		"INFO POST /webhook 413 <nil> false too_large the body is too large",
		"INFO POST /webhook 503 m4 false unavailable the stream does not take messages right now: disk gone",
		"INFO GET /messages 200 <nil> <nil> <nil> <nil>",
		"INFO GET /messages/m%2F1 200 <nil> <nil> <nil> <nil>",
		"INFO GET /nothing/here 404 <nil> <nil> <nil> <nil>",
		"DEBUG GET /health/live 200 <nil> <nil> <nil> <nil>",
		"DEBUG GET /metrics 200 <nil> <nil> <nil> <nil>",
		"INFO DELETE /stats 405 <nil> <nil> <nil> <nil>",
		"INFO OTHER /stats 405 <nil> <nil> <nil> <nil>",
	}
	eventually(t, func() bool { return len(a.log.requests(t)) == len(want) }, a.log.String)
	for i, l := range a.log.requests(t) {
		got := fmt.Sprintf("%v %v %v %v %v %v %v %v", l["level"], l["method"], l["path"], l["status"], l["message_id"], l["dup"], l["result"], l["error"])
		if got != want[i] {
			t.Errorf("line %d:\n got %s\nwant %s", i, got, want[i])
		}
		if ms, ok := l["latency_ms"].(float64); !ok || ms < 0 || ms > 10_000 {
			t.Errorf("line %d: latency %v", i, l["latency_ms"])
		}
		if id, ok := l["request_id"].(string); !ok || id == "" || i == 0 && id != "r1" {
			t.Errorf("line %d: request id %v", i, l["request_id"])
		}
	}
	for _, private := range []string{"Hello", "secretword", secret, sign(delivery("m/1"))} {
		if strings.Contains(a.log.String(), private) {
			t.Errorf("the log holds %q", private)
		}
	}
}

func TestLog_isQuietAtWarning(t *testing.T) {
	a := start(t, func(cfg *httpapi.Config) {
		handler := cfg.Log.Handler()
		cfg.Log = slog.New(warnings{handler})
	})
	a.postSigned(delivery("m1"))
	a.get("/health/live")
	a.change(func() { a.readErr = errors.New("disk I/O error") })
	a.get("/stats")
	if got := a.log.String(); strings.Contains(got, `"request"`) || !strings.Contains(got, "disk I/O error") {
		t.Errorf("got %s", got)
	}
}

// warnings is a handler at level WARNING.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func TestMetrics_areThereFromTheStart(t *testing.T) {
	a := start(t)
	a.counts(
		`http_requests_total{method="POST",path="/webhook",status="200"} 0`,
		`http_requests_total{method="POST",path="/webhook",status="503"} 0`,
		`http_requests_total{method="GET",path="/messages/{message_id}",status="404"} 0`,
		`http_requests_total{method="GET",path="other",status="404"} 0`,
		`request_latency_ms_bucket{le="1"} 0`,
		`request_latency_ms_bucket{le="+Inf"} 0`,
		`request_latency_ms_sum 0`,
		`request_latency_ms_count 0`,
		`http_request_duration_seconds_bucket{le="0.001"} 0`,
		`http_request_duration_seconds_count 0`,
		`http_connections_refused_total 0`,
		`webhook_requests_total{source="plain",result="created"} 0`,
	)
}

func TestMetrics_countByPattern(t *testing.T) {
	a := start(t)
	for i := range 5 {
		a.postSigned(delivery(fmt.Sprint("m", i)))
		a.get(fmt.Sprint("/messages/m", i))
		a.get(fmt.Sprint("/messages/x", i, "?after=0"))
		a.get(fmt.Sprint("/nothing/", i))
		a.do("HEAD", "/stats", "")
		a.do(fmt.Sprint("BREW", i), "/stats", "")
		a.do(fmt.Sprint("BREW", i), "/nothing", "")
	}
	a.counts(
		`http_requests_total{method="POST",path="/webhook",status="200"} 5`,
		`http_requests_total{method="GET",path="/messages/{message_id}",status="200"} 5`,
		`http_requests_total{method="GET",path="/messages/{message_id}",status="404"} 5`,
		`http_requests_total{method="GET",path="other",status="404"} 5`,
		`http_requests_total{method="HEAD",path="/stats",status="200"} 5`,
		`http_requests_total{method="OTHER",path="/stats",status="405"} 5`,
		`http_requests_total{method="OTHER",path="other",status="404"} 5`,
		`request_latency_ms_count 35`,
		`http_request_duration_seconds_count 35`,
	)
}

func TestRoutes_wrongMethods(t *testing.T) {
	a := start(t)
	for target, allow := range map[string]string{
		"/webhook": "POST", "/messages": "GET, HEAD", "/messages/a/b": "GET, HEAD", "/stats": "GET, HEAD", "/pipeline": "GET, HEAD",
		"/health/live": "GET, HEAD", "/health/ready": "GET, HEAD", "/health/ready/ingest": "GET, HEAD", "/health/ready/query": "GET, HEAD", "/metrics": "GET, HEAD",
	} {
		methods := []string{"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "POST"}
		if allow == "POST" {
			methods[len(methods)-1] = "GET"
		}
		for _, method := range methods {
			got := a.do(method, target, "")
			if got.status != 405 || got.body != `{"detail":"Method Not Allowed"}` || got.header.Get("Allow") != allow {
				t.Errorf("%s %s: %+v", method, target, got)
			}
		}
	}
}

func TestRoutes_unknownPaths(t *testing.T) {
	a := start(t)
	for _, target := range []string{
		"/webhook/", "/Webhook", "/webhook/whatsapp", "/messages/", "/stats/", "/docs/", "/health", "/health/", "/metrics/", "//", "/%",
	} {
		for _, method := range []string{"GET", "POST", "BREW"} {
			got := a.do(method, target, "")
			if got.status != 404 || got.body != `{"detail":"Not Found"}` || got.header.Get("Allow") != "" {
				t.Errorf("%s %s: %+v", method, target, got)
			}
		}
	}
}

func TestRoutes_headIsGetWithoutABody(t *testing.T) {
	a := start(t)
	a.postSigned(delivery("m1"))
	for _, target := range []string{"/messages", "/messages/m1", "/messages/m2", "/stats", "/pipeline", "/health/live", "/health/ready", "/metrics", "/nothing"} {
		get, head := a.get(target), a.do("HEAD", target, "")
		if head.status != get.status || head.body != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("%s: %+v, HEAD %+v", target, get, head)
		}
		if length := head.header.Get("Content-Length"); target != "/metrics" && length != fmt.Sprint(len(get.body)) {
			t.Errorf("%s: %s bytes, HEAD says %s", target, fmt.Sprint(len(get.body)), length)
		}
	}
}

func TestPanic_endsOneRequest(t *testing.T) {
	a := start(t)
	a.change(func() { a.panics = true })
	for range 3 {
		if got := a.get("/messages", "X-Request-ID", "r1"); got.status != 500 || got.body != `{"detail":"internal server error"}` || got.header.Get("X-Request-ID") != "r1" {
			t.Errorf("%+v", got)
		}
	}
	if got := a.get("/stats"); got.status != 200 {
		t.Errorf("%+v", got)
	}
	a.counts(`http_requests_total{method="GET",path="/messages",status="500"} 3`)
	if got := a.log.String(); !strings.Contains(got, `"reason":"of the reader"`) || !strings.Contains(got, "messages.go") || !strings.Contains(got, `"level":"ERROR"`) {
		t.Errorf("got %s", got)
	}
}

func TestErrors_forWhomRFC9457(t *testing.T) {
	a := start(t)
	for accept, want := range map[string]string{
		"":                             "application/json",
		"*/*":                          "application/json",
		"application/*":                "application/json",
		"application/json":             "application/json",
		"application/problem+json":     "application/problem+json",
		"Application/Problem+JSON;q=1": "application/problem+json",
		"application/problem+json;q=0": "application/json",
		"text/html, application/problem+json; charset=utf-8; q=0.1, */*": "application/problem+json",
		"application/problem+jsonp":                                      "application/json",
		";;;,":                                                           "application/json",
	} {
		for _, target := range []string{"/nothing", "/webhook", "/messages?limit=0", "/messages/m1"} {
			if got := a.get(target, "Accept", accept); got.header.Get("Content-Type") != want {
				t.Errorf("%q %s: %+v", accept, target, got)
			}
		}
		if got := a.get("/stats", "Accept", accept); got.status != 200 || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %+v", accept, got)
		}
	}
}

func TestAnswers_sayNothingOfTheServer(t *testing.T) {
	a := start(t)
	for _, got := range []answer{a.get("/stats"), a.get("/nothing"), a.postSigned(delivery("m1"))} {
		if got.header.Get("Server") != "" {
			t.Errorf("%+v", got.header)
		}
	}
}

func TestMetricsPage_isPrometheusText(t *testing.T) {
	a := start(t)
	got := a.get("/metrics")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" || !strings.Contains(got.body, "request_latency_ms_count 0\n") {
		t.Errorf("%+v", got)
	}
}

func TestQuery_unavailableDatabaseStopsNoWebhook(t *testing.T) {
	a := start(t)
	a.readErr = message.ErrUnavailable
	for _, target := range []string{"/messages", "/messages/m1", "/stats"} {
		if got := a.get(target); got.status != 503 || got.header.Get("Retry-After") != "1" || got.body != `{"detail":"the database is not available"}` {
			t.Errorf("%s: %+v", target, got)
		}
	}
	if got := a.postSigned(delivery("m1")); got.status != 200 {
		t.Errorf("%+v", got)
	}
}
