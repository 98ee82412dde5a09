package main

import (
	"fmt"
	"net"
	"strings"

	"sluice/internal/config"
	"sluice/internal/tracing"
)

// settings is the writer's whole configuration.
type settings struct {
	DatabaseURL config.DatabaseURL `env:"DATABASE_URL" envDefault:"sqlite:////data/app.db" help:"the database it makes and writes: four slashes absolute, three relative"`
	LogLevel    config.Level       `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARNING, ERROR"`
	HTTPAddr    string             `env:"WRITER_HTTP_ADDR" envDefault:"127.0.0.1:8001" help:"where /health and /metrics are"`

	NATSURL       config.ServerURLs `env:"NATS_URL" envDefault:"nats://127.0.0.1:4222" help:"the api's embedded server, or an external one"`
	NATSToken     string            `env:"NATS_TOKEN" secret:"true" help:"what the server asks for"`
	TraceEndpoint string            `env:"OTEL_EXPORTER_OTLP_ENDPOINT" default:"no tracing" help:"an OpenTelemetry collector's OTLP over HTTP: http://127.0.0.1:4318"`
	TraceHeaders  string            `env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"true" help:"what the collector asks for: name=value,…"`

	WriterName string `env:"WRITER_NAME" envDefault:"writer" help:"the durable consumer; a second name makes a second, independent copy of the database"`
}

// validate checks what the types of the variables cannot tell.
func (s *settings) validate() error {
	if _, _, err := net.SplitHostPort(s.HTTPAddr); err != nil {
		return fmt.Errorf("WRITER_HTTP_ADDR=%q: must be host:port", s.HTTPAddr)
	}
	if err := (tracing.Config{Endpoint: s.TraceEndpoint, Headers: s.TraceHeaders}).Validate(); err != nil {
		return err
	}
	// nats-server takes no consumer name with these (consumer.go, isValidName),
	// and makes a folder of it.
	if strings.ContainsAny(s.WriterName, " \t\r\n.*>/\\") || len(s.WriterName) > 255 {
		return fmt.Errorf(`WRITER_NAME=%q: must have no blanks and none of . * > / \`, s.WriterName)
	}
	return nil
}
