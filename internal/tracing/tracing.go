// Package tracing tells an OpenTelemetry collector how long a delivery took, as spans
// of the trace that its sender began. It refuses to know what is traced.
package tracing

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config is what a Tracer needs. OpenTelemetry's own variables (OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_…) are read beside it.
type Config struct {
	Endpoint string // OTEL_EXPORTER_OTLP_ENDPOINT: the collector's base URL, empty for no tracing
	Headers  string // OTEL_EXPORTER_OTLP_HEADERS: name=value,…
	Service  string // what the program is called, unless OTEL_SERVICE_NAME says otherwise
	Version  string
	Log      *slog.Logger
}

// Validate says what New would refuse.
func (cfg Config) Validate() error {
	if cfg.Endpoint == "" {
		return nil
	}
	_, err := newExporter(cfg)
	return err
}

// Tracer makes spans. A nil one makes none, and costs nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	log      *slog.Logger
}

// New returns a Tracer that exports in the background, nil when there is no endpoint.
func New(cfg Config) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil
	}
	exporter, err := newExporter(cfg)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracer{provider, provider.Tracer("sluice"), cfg.Log}, nil
}

// closeTimeout bounds how long a stop waits for the collector.
const closeTimeout = 5 * time.Second

// Close exports what is left. What a collector does not take then is lost.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans were not exported", "error", err)
	}
}

// Span is a piece of work that is under way. The zero value is none.
type Span struct {
	span trace.Span
}

// Start begins a span below the parent, a traceparent header or "".
func (t *Tracer) Start(kind Kind, name, parent string, at time.Time) Span {
	if t == nil {
		return Span{}
	}
	carrier := propagation.MapCarrier{"traceparent": parent}
	ctx := propagation.TraceContext{}.Extract(context.Background(), carrier)
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKind(kind)))
	return Span{span}
}

// Kind is what a span is to the one above it.
type Kind trace.SpanKind

// The kinds.
const (
	Server   = Kind(trace.SpanKindServer)   // it answers a request
	Consumer = Kind(trace.SpanKindConsumer) // it works on what was put into a stream
)

// Parent returns the traceparent of what happens below the span, and other when
// there is no span.
func (s Span) Parent(other string) string {
	if s.span == nil {
		return other
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), s.span), carrier)
	return carrier["traceparent"]
}

// End ends the span with what is known of it, text by name. err, unless nil, is why
// the work was not done.
func (s Span) End(at time.Time, err error, attrs ...string) {
	if s.span == nil {
		return
	}
	if s.span.IsRecording() {
		for i := 0; i < len(attrs); i += 2 {
			s.span.SetAttributes(attribute.String(attrs[i], attrs[i+1]))
		}
		if err != nil {
			s.span.SetStatus(codes.Error, err.Error())
		}
	}
	s.span.End(trace.WithTimestamp(at))
}
