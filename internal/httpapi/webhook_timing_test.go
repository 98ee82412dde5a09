package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/valyala/fasthttp/fasthttputil"

	"sluice/internal/httpapi"
	"sluice/internal/ingest"
	"sluice/internal/ops"
	"sluice/internal/query"
	"sluice/internal/source"
	"sluice/pkg/message"
)

// counter is a Publisher that only counts, one at a time.
type counter struct {
	ingest.Publisher
	atomic.Uint64
}

func (c *counter) Publish(context.Context, message.Entry) (message.Receipt, error) {
	return message.Receipt{Seq: c.Add(1)}, nil
}

// BenchmarkWebhook is all that a delivery costs but for the network and the stream,
// log included: one connection for each goroutine.
func BenchmarkWebhook(b *testing.B) {
	set, plain := metrics.NewSet(), source.NewPlain(source.Secrets{Current: secret})
	acceptor := ingest.New(ingest.Config{Publisher: &counter{}, Sources: []source.Source{plain}, Metrics: set, Now: time.Now})
	log, _ := ops.NewLogger(io.Discard, slog.LevelInfo)
	server := httpapi.New(httpapi.Config{
		Acceptor: acceptor, Sources: []source.Source{plain}, Log: log, Metrics: set,
		Query: query.New(query.Config{Reader: &pipe{}, Acked: acceptor.Acked}),
	})
	ln := fasthttputil.NewInmemoryListener()
	go func() { _ = server.Serve(ln) }()
	defer func() { _ = server.Shutdown(context.Background()) }()

	body := delivery("3f2f6a52-6d1c-4b7e-9a63-0d0f4f2f5b11")
	request := fmt.Appendf(nil, "POST /webhook HTTP/1.1\r\nHost: localhost:8000\r\nContent-Type: application/json\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		sign(body), len(body), body)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c, err := ln.Dial()
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		for pb.Next() {
			if _, err := c.Write(request); err != nil {
				b.Error(err)
				return
			}
			if err := skipAnswer(r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// skipAnswer reads an accepted delivery's answer without making garbage.
func skipAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if string(line) != "HTTP/1.1 200 OK\r\n" {
		return fmt.Errorf("got %q, not %d", line, http.StatusOK)
	}
	for len(line) > len("\r\n") {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
	}
	_, err = r.Discard(len(`{"status":"ok"}`))
	return err
}
