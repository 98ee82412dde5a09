package system

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/health/ready", "/health/ready/ingest", "/health/ready/query"} {
		res := p.Get(path)
		o := object(t, res.Body)
		wantMembers(t, o, "status", "checks")
		if res.Status != 200 || o["status"] != "ready" || len(o["checks"].(map[string]any)) == 0 {
			t.Errorf("GET %s: %d %s", path, res.Status, res.Body)
		}
	}
	if res := p.Get("/health/live"); res.Status != 200 || string(res.Body) != `{"status":"ok"}` {
		t.Errorf("/health/live: %d %s", res.Status, res.Body)
	}
}

func TestMetrics_areAtZeroFromTheStart(t *testing.T) {
	t.Parallel()
	p := start(t)
	api, writer := p.APIMetrics(), p.WriterMetrics()
	for _, result := range []string{"created", "duplicate", "invalid_signature", "validation_error", "unavailable", "too_large"} {
		name := `webhook_requests_total{source="plain",result="` + result + `"}`
		if v, ok := api[name]; !ok || v != 0 {
			t.Errorf("the api shows %s as %v, %v", name, v, ok)
		}
	}
	for _, result := range []string{"inserted", "duplicate", "conflict", "dead_letter"} {
		name := `sluice_writer_messages_total{result="` + result + `"}`
		for program, shown := range map[string]map[string]float64{"api": api, "writer": writer} {
			if v, ok := shown[name]; !ok || v != 0 {
				t.Errorf("the %s shows %s as %v, %v", program, name, v, ok)
			}
		}
	}
	for _, name := range []string{
		"http_requests_total", "request_latency_ms_bucket", "request_latency_ms_sum", "request_latency_ms_count",
		"http_request_duration_seconds_bucket", "http_request_duration_seconds_sum", "http_request_duration_seconds_count",
		"sluice_stream_last_sequence", "sluice_writer_applied_sequence", "sluice_writer_lag_entries", "sluice_writer_lag_seconds",
		"sluice_commit_seconds_count", "sluice_commit_group_size_count", "sluice_store_bytes", "sluice_store_wal_bytes",
	} {
		found := false
		for series := range api {
			found = found || series == name || strings.HasPrefix(series, name+"{")
		}
		for series := range writer {
			found = found || series == name || strings.HasPrefix(series, name+"{")
		}
		if !found {
			t.Errorf("neither program shows %s", name)
		}
	}
}

func TestMetrics_count(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"READ_WAIT": "20s", "MAX_BODY_BYTES": "1000"}})
	p.Post(hello("one"))
	p.Post(hello("one"))
	p.Post(hello("two"))
	p.PostBody([]byte("{}"))
	p.Do("POST", "/webhook", []byte("{}"))
	p.PostBody(make([]byte, 2000))
	p.Message("one")
	p.Message("secret-looking-id")
	p.Get("/nowhere/secret-looking-path")

	harness.Eventually(t, "the counters", func() bool {
		api, writer := p.APIMetrics(), p.WriterMetrics()
		ok := writer[`sluice_writer_messages_total{result="inserted"}`] == 2 && api[`sluice_writer_messages_total{result="inserted"}`] == 2 &&
			writer["sluice_writer_applied_sequence"] == 2 && api["sluice_writer_applied_sequence"] == 2
		for result, want := range map[string]float64{"created": 2, "duplicate": 1, "validation_error": 1, "invalid_signature": 1, "too_large": 1} {
			ok = ok && api[`webhook_requests_total{source="plain",result="`+result+`"}`] == want
		}
		return ok
	})
	api := p.APIMetrics()
	var ok200, notFound float64
	for series, v := range api {
		if strings.Contains(series, "secret-looking") {
			t.Errorf("a raw URL is a label: %s", series)
		}
		if !strings.HasPrefix(series, "http_requests_total{") {
			continue
		}
		if strings.Contains(series, `path="/webhook"`) && strings.Contains(series, `status="200"`) && strings.Contains(series, `method="POST"`) {
			ok200 += v
		}
		if strings.Contains(series, `status="404"`) {
			notFound += v
		}
	}
	if ok200 != 3 || notFound != 2 {
		t.Errorf("http_requests_total has %v webhooks with 200 and %v times 404", ok200, notFound)
	}
	if api["request_latency_ms_count"] < 9 || api[`request_latency_ms_bucket{le="+Inf"}`] != api["request_latency_ms_count"] {
		t.Errorf("%v requests took some time, +Inf holds %v", api["request_latency_ms_count"], api[`request_latency_ms_bucket{le="+Inf"}`])
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"READ_WAIT": "20s", "MAX_BODY_BYTES": "4000", "WEBHOOK_SECRET_PREVIOUS": "older secret"}})
	m := hello("logged")
	text := "words that nobody may log"
	m.Text = &text
	p.Do("POST", "/webhook", load.Body(m), "X-Signature", harness.Sign(load.Body(m)), "X-Request-ID", "req-created")
	p.Do("POST", "/webhook", load.Body(m), "X-Signature", harness.Sign(load.Body(m)), "X-Request-ID", "req-duplicate")
	p.Do("POST", "/webhook", load.Body(m), "X-Request-ID", "req-invalid_signature")
	broken := []byte(`{"text":"words that nobody may log"}`)
	p.Do("POST", "/webhook", broken, "X-Signature", harness.Sign(broken), "X-Request-ID", "req-validation_error")
	large := make([]byte, 5000)
	p.Do("POST", "/webhook", large, "X-Signature", harness.Sign(large), "X-Request-ID", "req-too_large")
	p.Do("GET", "/messages/logged?q=x", nil, "X-Request-ID", "req-get")
	publish(t, p, "webhooks.plain", "words that nobody may log")
	p.Post(hello("last"))
	p.Messages()
	p.API.Stop()
	p.Writer.Stop()

	requests := map[string]harness.Line{}
	for _, process := range []*harness.Process{p.API, p.Writer} {
		for _, line := range process.Log() {
			for _, field := range []string{"ts", "level", "msg"} {
				if s, ok := line[field].(string); !ok || s == "" {
					t.Errorf("a line without %s: %v", field, line)
				}
			}
			if id, ok := line["request_id"].(string); ok && line["status"] != nil {
				requests[id] = line
			}
		}
		output := process.Output()
		for _, secret := range []string{"nobody may log", harness.Secret, harness.Token, "older secret", harness.Sign(load.Body(m))} {
			if strings.Contains(output, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	}
	for _, result := range []string{"created", "duplicate", "invalid_signature", "validation_error", "too_large"} {
		line := requests["req-"+result]
		if line["result"] != result || line["method"] != "POST" || line["path"] != "/webhook" || line["status"] == nil || line["dup"] != (result == "duplicate") {
			t.Errorf("the line of %s: %v", result, line)
		}
		if known := result == "created" || result == "duplicate"; known != (line["message_id"] == "logged") {
			t.Errorf("the line of %s has message_id %v", result, line["message_id"])
		}
		if ms, ok := line["latency_ms"].(float64); !ok || ms < 0 {
			t.Errorf("the line of %s has latency_ms %v", result, line["latency_ms"])
		}
	}
	if line := requests["req-get"]; line["method"] != "GET" || line["status"] != 200.0 || line["path"] == nil {
		t.Errorf("the line of a GET: %v", line)
	}
}

func TestLogs_atWarningRequestsAreOff(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{
		API:    map[string]string{"READ_WAIT": "20s", "LOG_LEVEL": "WARNING"},
		Writer: map[string]string{"LOG_LEVEL": "warning"},
	})
	p.Post(numbered("m", 10)...)
	p.Messages()
	p.API.Stop()
	p.Writer.Stop()
	for _, line := range append(p.API.Log(), p.Writer.Log()...) {
		if !slices.Contains([]any{"WARNING", "ERROR"}, line["level"]) {
			t.Errorf("at WARNING there is %v", line)
		}
	}
}

func TestLogs_configurationOnceWithSecretsMasked(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, process := range []*harness.Process{p.API, p.Writer} {
		process.Stop()
		if n := len(regexp.MustCompile(`"DATABASE_URL"`).FindAllString(process.Output(), -1)); n != 1 {
			t.Errorf("DATABASE_URL is logged %d times", n)
		}
	}
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 7)...)
	publish(t, p, "webhooks.plain", "garbage")
	p.Post(hello("last"))
	p.Messages()
	p.Writer.Stop()
	seq := p.Post(numbered("more", 3)...)

	var o struct {
		Stream struct {
			Available bool
			First     uint64 `json:"first_sequence"`
			Last      uint64 `json:"last_sequence"`
			Bytes     int64
			MaxBytes  int64 `json:"max_bytes"`
			Full      bool
		}
		Writers []struct {
			Name       string
			Running    bool
			Applied    uint64   `json:"applied_sequence"`
			LagEntries int      `json:"lag_entries"`
			LagSeconds *float64 `json:"lag_seconds"`
		}
		Database struct {
			Available bool
			Applied   uint64 `json:"applied_sequence"`
			Bytes     int64
		}
		DeadLetters int `json:"dead_letters"`
	}
	p.Decode("/pipeline", &o)
	if s := o.Stream; !s.Available || s.First != 1 || s.Last != seq || s.Bytes <= 0 || s.MaxBytes <= s.Bytes || s.Full {
		t.Errorf("the stream, at %d: %+v", seq, s)
	}
	if d := o.Database; !d.Available || d.Applied != seq-3 || d.Bytes <= 0 || o.DeadLetters != 1 {
		t.Errorf("the database: %+v, %d dead letters", d, o.DeadLetters)
	}
	if len(o.Writers) != 1 {
		t.Fatalf("the writers: %+v", o.Writers)
	}
	if w := o.Writers[0]; w.Name != "writer" || w.Running || w.Applied != seq-3 || w.LagEntries != 3 || w.LagSeconds == nil || *w.LagSeconds <= 0 {
		t.Errorf("the writer: %+v", w)
	}

	p.Writer.StartReady()
	p.Messages()
	p.Decode("/pipeline", &o)
	if w := o.Writers[0]; !w.Running || w.Applied != seq || w.LagEntries != 0 {
		t.Errorf("the writer, back: %+v", w)
	}
}
