package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/oklog/run"

	"sluice/internal/httpapi"
	"sluice/internal/ingest"
	"sluice/internal/operator"
	"sluice/internal/ops"
	"sluice/internal/query"
	"sluice/internal/store"
	"sluice/internal/stream"
	"sluice/internal/tracing"
	"sluice/pkg/contract"
)

// stopTimeout bounds how long a stop waits for requests that were accepted.
const stopTimeout = 20 * time.Second

// runServices builds the api from the inside out and runs it until ctx ends or a
// part fails.
//
//	                    ┌─▶ ingest ─▶ stream.Publisher ─▶ groupcommit ─▶ natsd (or NATS_URL)
//	HTTP_ADDR ─▶ httpapi┤                                                  ▲
//	                    └─▶ query ──▶ store.Reader (the writer's file)   writers
//
// It stops from the outside in: not ready, after STOP_DELAY no new requests, what
// was accepted is answered, then the stream is closed.
func runServices(ctx context.Context, s *settings, environ map[string]string, log *slog.Logger) error {
	if environ["GOGC"] == "" {
		keepHeapFloor(100) // Go's own default
	}
	set := metrics.NewSet()
	ln, err := net.Listen("tcp", string(s.HTTPAddr))
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	defer ln.Close() // httpapi has closed it already, unless the start failed

	ingestSide, err := openStream(ctx, s, set, log)
	if err != nil {
		return err
	}
	defer ingestSide.close()

	tracer, err := tracing.New(tracing.Config{
		Endpoint: s.TraceEndpoint, Headers: s.TraceHeaders, Service: "sluice-api", Version: ops.Version(), Log: log,
	})
	if err != nil {
		return err
	}
	defer tracer.Close()

	reader := store.OpenReader(store.ReaderConfig{Path: s.DatabaseURL.Path()})
	defer reader.Close()

	sources, err := s.sources()
	if err != nil {
		return err
	}
	acceptor := ingest.New(ingest.Config{Publisher: ingestSide.publisher, Sources: sources, Rates: s.RateLimits, Metrics: set, Now: time.Now})
	pipeline := query.NewPipeline(query.PipelineConfig{
		Stream: ingestSide.conn, Reader: reader, WriterName: string(s.WriterName), Now: time.Now,
	})
	pipeline.Register(set)

	health := &ops.Health{}
	health.Add(ops.Ingest, "stream", func(context.Context) error { return ingestSide.ready() })
	health.Add(ops.Ingest, "secret", func(context.Context) error { return s.secretSet() })
	health.Add(ops.Query, "database", func(ctx context.Context) error {
		_, err := reader.Applied(ctx)
		return err
	})

	server := httpapi.New(httpapi.Config{
		Acceptor: acceptor, Sources: sources,
		Query:    query.New(query.Config{Reader: reader, Acked: acceptor.Acked, ReadWait: s.ReadWait}),
		Pipeline: pipeline,
		Health:   health,
		Guard:    s.guard(),
		Trace:    tracer,
		AskWriter: func(ctx context.Context, command string, request []byte) ([]byte, error) {
			answer, err := ingestSide.conn.Request(ctx, contract.WriterSubject(string(s.WriterName), command), request)
			if errors.Is(err, stream.ErrNobody) {
				return nil, httpapi.ErrNoWriter
			}
			return answer, err
		},
		WriteMetrics: func(w io.Writer) {
			pipeline.Status(context.Background()) // what the gauges show
			ops.WriteMetrics(w, set)
		},
		Log: log, Metrics: set,
		MaxBodyBytes: int(s.MaxBodyBytes), BodyLimits: s.BodyLimits, ReadTimeout: s.RequestTimeout,
	})
	s.warnAboutOpenReading(ln.Addr(), log)

	var group run.Group
	ctx, stop := context.WithCancel(ctx)
	group.Add(func() error {
		<-ctx.Done()
		return nil
	}, func(err error) {
		health.Stopping()
		server.Leave()
		if err == nil { // a process that has failed is of no use to anybody
			time.Sleep(s.StopDelay)
		}
		stop()
	})
	group.Add(func() error {
		log.Info("listening", "addr", ln.Addr().String())
		return server.Serve(ln)
	}, func(error) {
		within, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := server.Shutdown(within); err != nil {
			log.Warn("requests were cut off", "error", err)
		}
	})
	addLoop(&group, pipeline.Run, nil)
	addLoop(&group, func(ctx context.Context) error { return s.rotate(ctx, environ, sources, log) }, nil)
	ingestSide.addTo(&group)
	return group.Run()
}

// addLoop adds a loop that ends with its context. before, unless nil, is called
// first when the group ends.
func addLoop(group *run.Group, loop func(context.Context) error, before func()) {
	ctx, cancel := context.WithCancel(context.Background())
	group.Add(func() error { return loop(ctx) }, func(error) {
		if before != nil {
			before()
		}
		cancel()
	})
}

// errNoSecret cannot happen after a start, which a missing secret refuses.
var errNoSecret = errors.New("WEBHOOK_SECRET is not set")

func (s *settings) secretSet() error {
	if s.WebhookSecret == "" {
		return errNoSecret
	}
	return nil
}

// guard returns nil where reading is open.
func (s *settings) guard() *operator.Guard {
	if s.OperatorToken == "" {
		return nil
	}
	return operator.NewGuard(s.OperatorToken, time.Now)
}

// warnAboutOpenReading says that anybody who reaches the port may read.
func (s *settings) warnAboutOpenReading(addr net.Addr, log *slog.Logger) {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && s.OperatorToken == "" {
		log.Warn("reading is open to everybody who reaches this address; OPERATOR_TOKEN closes it", "addr", addr.String())
	}
}
