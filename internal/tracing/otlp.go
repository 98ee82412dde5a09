package tracing

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// What follows is OTLP's ExportTraceServiceRequest as JSON: opentelemetry-proto,
// trace/v1/trace.proto, with ids in hexadecimal and 64-bit numbers as text
// (OTLP specification, "JSON Protobuf Encoding"). All spans of a process share their
// resource and their scope.

type otlpRequest struct {
	ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
}

type otlpResourceSpans struct {
	Resource   otlpResource     `json:"resource"`
	ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
}

type otlpResource struct {
	Attributes []otlpAttribute `json:"attributes"`
}

type otlpScopeSpans struct {
	Scope otlpScope  `json:"scope"`
	Spans []otlpSpan `json:"spans"`
}

type otlpScope struct {
	Name string `json:"name"`
}

type otlpSpan struct {
	TraceID    string          `json:"traceId"`
	SpanID     string          `json:"spanId"`
	ParentID   string          `json:"parentSpanId,omitempty"`
	Name       string          `json:"name"`
	Kind       int             `json:"kind"`
	Start      string          `json:"startTimeUnixNano"`
	End        string          `json:"endTimeUnixNano"`
	Attributes []otlpAttribute `json:"attributes,omitempty"`
	Status     otlpStatus      `json:"status"`
}

type otlpStatus struct {
	Code    int    `json:"code,omitempty"` // 2 = error
	Message string `json:"message,omitempty"`
}

type otlpAttribute struct {
	Key   string    `json:"key"`
	Value otlpValue `json:"value"`
}

type otlpValue struct {
	String string `json:"stringValue"`
}

// otlpError is STATUS_CODE_ERROR.
const otlpError = 2

func newRequest(spans []sdk.ReadOnlySpan) otlpRequest {
	scope := otlpScopeSpans{Scope: otlpScope{spans[0].InstrumentationScope().Name}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, newOTLPSpan(s))
	}
	return otlpRequest{[]otlpResourceSpans{{
		Resource: otlpResource{newAttributes(spans[0].Resource().Attributes())}, ScopeSpans: []otlpScopeSpans{scope},
	}}}
}

func newOTLPSpan(s sdk.ReadOnlySpan) otlpSpan {
	span := otlpSpan{
		TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
		Name: s.Name(), Kind: int(s.SpanKind()),
		Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10),
		Attributes: newAttributes(s.Attributes()),
	}
	if s.Parent().HasSpanID() {
		span.ParentID = s.Parent().SpanID().String()
	}
	if text := s.Status().Description; text != "" {
		span.Status = otlpStatus{otlpError, text}
	}
	return span
}

func newAttributes(from []attribute.KeyValue) []otlpAttribute {
	all := make([]otlpAttribute, len(from))
	for i, a := range from {
		all[i] = otlpAttribute{string(a.Key), otlpValue{a.Value.String()}}
	}
	return all
}
