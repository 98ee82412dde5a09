package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// exportTimeout bounds one request to the collector.
const exportTimeout = 10 * time.Second

// exporter posts spans in OTLP's JSON encoding (OpenTelemetry Protocol, "OTLP/HTTP").
// OpenTelemetry's own exporter speaks protocol buffers and brings gRPC with it.
type exporter struct {
	url    string
	header http.Header
	client http.Client
	log    *slog.Logger
}

func newExporter(cfg Config) (*exporter, error) {
	base, err := url.Parse(cfg.Endpoint)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: must be like http://127.0.0.1:4318")
	}
	e := &exporter{
		url: base.JoinPath("v1", "traces").String(), header: http.Header{"Content-Type": {"application/json"}},
		client: http.Client{Timeout: exportTimeout}, log: cfg.Log,
	}
	for pair := range strings.SplitSeq(cfg.Headers, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if pair == "" {
			continue
		}
		if value, err = url.PathUnescape(value); !ok || err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: must be name=value, separated by commas")
		}
		e.header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return e, nil
}

// ExportSpans is part of sdk.SpanExporter. Spans that the collector does not take are
// lost: the log says so, and nothing waits for them.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := e.post(ctx, spans); err != nil {
		e.log.Warn("spans were not taken", "spans", len(spans), "error", err)
	}
	return nil
}

func (e *exporter) post(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := json.Marshal(newRequest(spans))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = e.header
	res, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", res.Status)
	}
	return nil
}

// Shutdown is part of sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}
