package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/oklog/run"

	"sluice/internal/ops"
	"sluice/internal/store"
	"sluice/internal/stream"
	"sluice/internal/tracing"
	"sluice/internal/writer"
)

// stopTimeout bounds how long a stop waits for somebody who reads a page.
const stopTimeout = 2 * time.Second

// runServices builds the writer from the inside out and runs it until ctx ends
// or a part fails.
//
//	NATS_URL ─▶ stream.Consumer ─▶ writer ─▶ store ─▶ DATABASE_URL
//	                        ▲        └─▶ ops: /health, /metrics on WRITER_HTTP_ADDR
//	                        └─ commands, over NATS: see control.go
//
// Pages are served from the start: while it waits for the database that another
// writer holds, and for the stream.
func runServices(ctx context.Context, s *settings, log *slog.Logger) error {
	ln, err := net.Listen("tcp", string(s.HTTPAddr))
	if err != nil {
		return fmt.Errorf("WRITER_HTTP_ADDR: %w", err)
	}
	conn, err := stream.Connect(stream.ConnConfig{URL: string(s.NATSURL), Token: s.NATSToken, Name: "writer " + string(s.WriterName)}, log)
	if err != nil {
		return err
	}
	defer conn.Close()

	set := metrics.NewSet()
	source := stream.NewConsumer(conn, stream.ConsumerConfig{Name: string(s.WriterName)}, log)
	tracer, err := tracing.New(tracing.Config{
		Endpoint: s.TraceEndpoint, Headers: s.TraceHeaders, Service: "sluice-writer", Version: ops.Version(), Log: log,
	})
	if err != nil {
		return err
	}
	defer tracer.Close()
	w := writer.New(writer.Config{OnApplied: tracedEntries(tracer)}, writer.Ports{
		Source: source,
		Stream: conn,
		Open:   func(ctx context.Context) (writer.Store, error) { return openStore(ctx, s, log) },
	}, log, set, time.Now)
	if err := answerCommands(ctx, conn, string(s.WriterName), w, log); err != nil {
		return err
	}
	health := &ops.Health{}
	health.Add(ops.Ingest, "stream", w.StreamReady)
	health.Add(ops.Query, "database", w.StoreReady)
	server := &http.Server{
		Handler:           ops.Handler(health, func(page io.Writer) { ops.WriteMetrics(page, set) }),
		ReadHeaderTimeout: 5 * time.Second,
	}

	var group run.Group
	ctx, stop := context.WithCancel(ctx)
	group.Add(func() error {
		<-ctx.Done()
		return nil
	}, func(error) {
		health.Stopping()
		stop()
	})
	group.Add(func() error { return w.Run(ctx) }, func(error) { stop() })
	group.Add(func() error {
		log.Info("listening", "addr", ln.Addr().String())
		return server.Serve(ln)
	}, func(error) {
		within, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		_ = server.Shutdown(within) // whoever reads a page may be cut off
	})
	return group.Run()
}

// openRetry is the pause before a database that could not be opened is tried again.
const openRetry = time.Second

// openStore opens the database. It waits for what passes: a full disk, and
// somebody else's lock.
func openStore(ctx context.Context, s *settings, log *slog.Logger) (writer.Store, error) {
	for {
		database, err := store.Open(ctx, store.Config{Path: s.DatabaseURL.Path(), Logger: log})
		if err == nil {
			return database, nil
		}
		if !errors.Is(err, store.ErrDiskFull) && !errors.Is(err, store.ErrLocked) {
			return nil, err
		}
		log.Warn("the database cannot be opened yet", "error", err, "retry_in", openRetry)
		select {
		case <-time.After(openRetry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
