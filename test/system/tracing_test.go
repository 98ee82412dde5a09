package system

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

func TestOpenTelemetry_showsADeliveryFromTheApiToTheDatabase(t *testing.T) {
	t.Parallel()
	type span struct{ TraceID, SpanID, ParentSpanID, Name string }
	received := make(chan span, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []span }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		for _, rs := range body.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					received <- s
				}
			}
		}
	}))
	t.Cleanup(collector.Close)
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}
	p := harness.Start(t, harness.Options{API: env, Writer: env})
	body := load.Body(hello("traced"))
	p.Do("POST", "/webhook", body, "X-Signature", harness.Sign(body), "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	p.WaitApplied(1)
	p.API.Stop() // exports what is left
	p.Writer.Stop()

	spans := map[string]span{}
	for len(spans) < 2 {
		s := <-received
		spans[s.Name] = s
	}
	api, writer := spans["POST /webhook"], spans["apply webhooks.plain"]
	const trace = "0af7651916cd43dd8448eb211c80319c"
	if api.TraceID != trace || api.ParentSpanID != "b7ad6b7169203331" || writer.TraceID != trace || writer.ParentSpanID != api.SpanID {
		t.Errorf("%+v", spans)
	}
}
