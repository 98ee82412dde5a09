package tracing_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/internal/tracing"
)

// span is a span as a collector reads it.
type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	StartTimeUnixNano, EndTimeUnixNano  string
	Attributes                          []attribute
	Status                              struct {
		Code    int
		Message string
	}
}

type attribute struct {
	Key   string
	Value struct{ StringValue string }
}

// collector returns a real receiver of OTLP over HTTP, and what it receives.
func collector(t *testing.T, status int) (url string, received chan span) {
	t.Helper()
	received = make(chan span, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct {
				Resource   struct{ Attributes []attribute }
				ScopeSpans []struct{ Spans []span }
			}
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("api-key") != "a b" {
			t.Errorf("%v: %s %v", err, r.URL, r.Header)
		}
		for _, rs := range body.ResourceSpans {
			if !strings.Contains(jsonOf(rs.Resource), `{"Key":"service.name","Value":{"StringValue":"sluice-test"}}`) {
				t.Errorf("the resource is %s", jsonOf(rs.Resource))
			}
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					received <- s
				}
			}
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, received
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func newTracer(t *testing.T, url string, log *slog.Logger) *tracing.Tracer {
	t.Helper()
	tracer, err := tracing.New(tracing.Config{Endpoint: url, Headers: "api-key=a%20b", Service: "sluice-test", Version: "1", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestSpans_reachTheCollectorBelowTheirParent(t *testing.T) {
	url, received := collector(t, 200)
	tracer := newTracer(t, url, slog.New(slog.DiscardHandler))
	began := time.Unix(1736935200, 5)
	above := tracer.Start(tracing.Server, "above", parent, began)
	below := tracer.Start(tracing.Consumer, "below", above.Parent(""), began.Add(time.Second))
	below.End(began.Add(2*time.Second), errors.New("no"), "a", "1", "b", "2")
	above.End(began.Add(3*time.Second), nil)
	tracer.Close()

	first, second := <-received, <-received
	if second.TraceID != "0af7651916cd43dd8448eb211c80319c" || second.ParentSpanID != "b7ad6b7169203331" || second.Name != "above" || second.Kind != 2 ||
		second.StartTimeUnixNano != "1736935200000000005" || second.EndTimeUnixNano != "1736935203000000005" || second.Status.Code != 0 {
		t.Errorf("%+v", second)
	}
	if first.TraceID != second.TraceID || first.ParentSpanID != second.SpanID || first.Kind != 5 || first.Status.Code != 2 || first.Status.Message != "no" ||
		jsonOf(first.Attributes) != `[{"Key":"a","Value":{"StringValue":"1"}},{"Key":"b","Value":{"StringValue":"2"}}]` {
		t.Errorf("%+v", first)
	}
}

func TestSpans_areNotMadeWhereTheSenderSaysSo(t *testing.T) {
	url, received := collector(t, 200)
	tracer := newTracer(t, url, slog.New(slog.DiscardHandler))
	s := tracer.Start(tracing.Server, "not sampled", strings.TrimSuffix(parent, "1")+"0", time.Now())
	if p := s.Parent(""); !strings.HasPrefix(p, parent[:35]) || !strings.HasSuffix(p, "-00") {
		t.Errorf("what is below hears %q", p)
	}
	s.End(time.Now(), nil, "a", "b")
	tracer.Start(tracing.Server, "without a parent", "", time.Now()).End(time.Now(), nil)
	tracer.Close()
	if got := <-received; got.Name != "without a parent" || got.ParentSpanID != "" {
		t.Errorf("%+v", got)
	}
}

func TestClose_saysWhatWasNotTaken(t *testing.T) {
	url, _ := collector(t, 500)
	var log strings.Builder
	tracer := newTracer(t, url, slog.New(slog.NewTextHandler(&log, nil)))
	tracer.Start(tracing.Server, "x", "", time.Now()).End(time.Now(), nil)
	tracer.Close()
	if !strings.Contains(log.String(), "spans were not taken") || !strings.Contains(log.String(), "500") {
		t.Errorf("the log: %s", log.String())
	}
}

func TestNoTracer_makesNothing(t *testing.T) {
	tracer, err := tracing.New(tracing.Config{})
	if tracer != nil || err != nil {
		t.Fatal(tracer, err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		s := tracer.Start(tracing.Server, "x", parent, time.Time{})
		if s.Parent("as it was") != "as it was" {
			t.Error("the parent changes")
		}
		s.End(time.Time{}, nil)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	tracer.Close()
}

func TestValidate_namesTheVariable(t *testing.T) {
	for _, c := range []tracing.Config{{Endpoint: "localhost:4318"}, {Endpoint: "grpc://x"}, {Endpoint: "http://"}, {Endpoint: "http://x", Headers: "a"}, {Endpoint: "http://x", Headers: "a=%zz"}} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := (tracing.Config{Endpoint: "https://x/otlp/", Headers: "a=b, c=d%20e"}).Validate(); err != nil {
		t.Error(err)
	}
}
