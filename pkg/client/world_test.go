package client_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/httpapi"
	"sluice/internal/ingest"
	"sluice/internal/operator"
	"sluice/internal/ops"
	"sluice/internal/query"
	"sluice/internal/source"
	"sluice/internal/store"
	"sluice/pkg/message"
)

// Secrets of every world.
const (
	secret = "testsecret"
	token  = "operators only"
)

// world is an api with a database of its own, for examples and tests alike. What is
// published is applied at once, without a stream; test/system has the whole programs.
type world struct {
	ingest.Publisher // of several entries at once, of which there are none

	url   string
	dir   string
	store *store.Store
	read  *store.Reader
	api   *httpapi.Server

	mu   sync.Mutex
	seq  uint64
	seqs map[string]uint64
	err  error // of the next publishes
}

func newWorld() *world {
	w := &world{seqs: map[string]uint64{}}
	w.dir = must(os.MkdirTemp("", "client-"))
	path := filepath.Join(w.dir, "app.db")
	w.store = must(store.Open(context.Background(), store.Config{Path: path, CacheBytes: 8 << 20}))
	w.read = store.OpenReader(store.ReaderConfig{Path: path})
	plain, set := source.NewPlain(source.Secrets{Current: secret}), metrics.NewSet()
	acceptor := ingest.New(ingest.Config{Publisher: w, Sources: []source.Source{plain}, Metrics: set, Now: time.Now})
	w.api = httpapi.New(httpapi.Config{
		Acceptor: acceptor, Sources: []source.Source{plain}, Health: &ops.Health{},
		Query:        query.New(query.Config{Reader: w.read, Acked: acceptor.Acked, ReadWait: time.Minute}),
		Pipeline:     query.NewPipeline(query.PipelineConfig{Stream: w, Reader: w.read, WriterName: "writer", Now: time.Now}),
		Guard:        operator.NewGuard(token, time.Now),
		WriteMetrics: func(io.Writer) {}, Log: slog.New(slog.DiscardHandler), Metrics: set,
	})
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	w.url = "http://" + ln.Addr().String()
	go func() { _ = w.api.Serve(ln) }()
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = w.api.Shutdown(ctx)
	_ = w.read.Close()
	_ = w.store.Close()
	_ = os.RemoveAll(w.dir)
}

// Publish is part of ingest.Publisher.
func (w *world) Publish(ctx context.Context, e message.Entry) (message.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return message.Receipt{}, w.err
	}
	if seq := w.seqs[e.MsgID]; seq > 0 {
		return message.Receipt{Seq: seq, Duplicate: true}, nil
	}
	m, err := message.Unmarshal(e.Data)
	if err != nil {
		return message.Receipt{}, err
	}
	w.seq++
	w.seqs[e.MsgID] = w.seq
	_, err = w.store.Apply(ctx, message.Batch{
		Records:    []message.Record{{Message: m, Seq: w.seq, CreatedAt: time.Now(), Source: e.Source, MsgID: e.MsgID}},
		Checkpoint: message.Checkpoint{StreamID: "S@1", Seq: w.seq, MsgID: e.MsgID},
	})
	return message.Receipt{Seq: w.seq}, err
}

// fail has publishes fail, or work again.
func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// Status is part of query.Stream.
func (w *world) Status(context.Context) (message.StreamStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return message.StreamStatus{StreamState: message.StreamState{ID: "S@1", First: 1, Last: w.seq}, Messages: w.seq}, nil
}

// FirstFrom is part of query.Stream.
func (w *world) FirstFrom(context.Context, uint64) (message.Entry, error) {
	return message.Entry{}, message.ErrNoEntry
}

// hello is a valid message.
func hello(id string, n int) message.Message {
	text := "Hello " + strconv.Itoa(n)
	at := time.Date(2025, 1, 15, 10, 0, n, 0, time.UTC)
	return message.Message{ID: id, From: "+919876543210", To: "+14155550100", TS: at.Format(time.RFC3339), Text: &text}
}
