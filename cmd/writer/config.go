package main

import (
	"sluice/internal/config"
	"sluice/internal/tracing"
)

// settings is the writer's whole configuration.
type settings struct {
	DatabaseURL config.DatabaseURL `env:"DATABASE_URL" envDefault:"sqlite:////data/app.db" help:"the database it makes and writes: four slashes absolute, three relative"`
	LogLevel    config.Level       `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARNING, ERROR"`
	HTTPAddr    config.Address     `env:"WRITER_HTTP_ADDR" envDefault:"127.0.0.1:8001" help:"where /health and /metrics are"`

	NATSURL       config.ServerURLs `env:"NATS_URL" envDefault:"nats://127.0.0.1:4222" help:"the api's embedded server, or an external one"`
	NATSToken     string            `env:"NATS_TOKEN" secret:"true" help:"what the server asks for"`
	TraceEndpoint string            `env:"OTEL_EXPORTER_OTLP_ENDPOINT" default:"no tracing" help:"an OpenTelemetry collector's OTLP over HTTP: http://127.0.0.1:4318"`
	TraceHeaders  string            `env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"true" help:"what the collector asks for: name=value,…"`

	WriterName config.WriterName `env:"WRITER_NAME" envDefault:"writer" help:"the durable consumer; a second name makes a second, independent copy of the database"`
}

// validate checks what the types of the variables cannot tell.
func (s *settings) validate() error {
	return (tracing.Config{Endpoint: s.TraceEndpoint, Headers: s.TraceHeaders}).Validate()
}
