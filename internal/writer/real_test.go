package writer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/store"
	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
	"sluice/internal/writer"
	"sluice/pkg/message"
)

// real is a writer between a real stream and a real database.
type real struct {
	t      testing.TB
	server *streamtest.Server
	path   string // of the database
	log    logged
}

func newReal(t testing.TB) *real {
	return &real{t: t, server: streamtest.Start(t), path: filepath.Join(t.TempDir(), "app.db")}
}

// restart stops the server, has f change its folder, and starts it again at the
// same address.
func (r *real) restart(f func(dir string)) {
	r.t.Helper()
	listen := strings.TrimPrefix(r.server.ClientURL(), "nats://")
	r.server.Shutdown()
	f(r.server.Dir)
	r.server = streamtest.StartIn(r.t, r.server.Dir, listen)
}

// start runs a writer until stop is called or the test ends.
func (r *real) start(cfg writer.Config) (stop func()) {
	r.t.Helper()
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	conn, err := stream.Connect(stream.ConnConfig{URL: r.server.ClientURL(), Token: streamtest.Token}, log)
	if err != nil {
		r.t.Fatal(err)
	}
	ports := writer.Ports{
		Source: stream.NewConsumer(conn, stream.ConsumerConfig{Name: "writer"}, log),
		Stream: conn,
		Open: func(ctx context.Context) (writer.Store, error) {
			return store.Open(ctx, store.Config{Path: r.path, Logger: log, CacheBytes: 64 << 20})
		},
	}
	w := writer.New(cfg, ports, log, metrics.NewSet(), time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := w.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		conn.Close()
	})
	r.t.Cleanup(stop)
	return stop
}

// publish puts entries into the stream from several goroutines and returns once
// all are there.
func (r *real) publish(p *stream.Publisher, entries ...message.Entry) {
	r.t.Helper()
	next := make(chan message.Entry)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for e := range next {
				if _, err := p.Publish(r.t.Context(), e); err != nil {
					r.t.Error(err)
				}
			}
		})
	}
	for _, e := range entries {
		next <- e
	}
	close(next)
	wg.Wait()
}

// wait returns once the database has reached the stream's last entry.
func (r *real) wait(reader *store.Reader) {
	r.t.Helper()
	conn := r.server.Connect(r.t)
	for deadline := time.Now().Add(streamtest.Wait); ; time.Sleep(5 * time.Millisecond) {
		within, cancel := context.WithTimeout(r.t.Context(), time.Second)
		state, err := conn.Status(within)
		var last message.Entry
		if err == nil && state.Last >= state.First {
			last, err = conn.FirstFrom(within, state.Last)
		}
		cancel()
		status, err2 := reader.Status(r.t.Context())
		// While the writer gives entries back, the stream passes the checkpoint's
		// sequence with another entry.
		if err == nil && err2 == nil && status.Checkpoint == (message.Checkpoint{StreamID: state.ID, Seq: last.Seq, MsgID: last.MsgID}) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the database is at %v (%v), the stream at %v (%v)\n%s", status.Checkpoint, err2, state, err, r.log.String())
		}
	}
}

// rows returns every row of the database: place, time and id.
func (r *real) rows() []string {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), store.Config{Path: r.path})
	if err != nil {
		r.t.Fatal(err)
	}
	defer s.Close()
	var rows []string
	err = s.After(r.t.Context(), 0, func(m message.Record) error {
		rows = append(rows, fmt.Sprintf("%d %s %s", m.Seq, m.CreatedAt.Format(time.RFC3339Nano), m.ID))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

func (r *real) reader() *store.Reader {
	reader := store.OpenReader(store.ReaderConfig{Path: r.path})
	r.t.Cleanup(func() { _ = reader.Close() })
	return reader
}

func entries(from, to int) []message.Entry {
	var all []message.Entry
	for n := from; n < to; n++ {
		all = append(all, streamtest.Entry(n))
	}
	return all
}

func TestReal_everyEntryOnceThroughRestartsOfEverything(t *testing.T) {
	r := newReal(t)
	reader := r.reader()
	stop := r.start(writer.Config{MaxBatch: 100})
	p := r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(0, 1000)...)
	broken := streamtest.Entry(5000)
	broken.Data = []byte("not a message")
	r.publish(p, broken)
	r.wait(reader)

	stop()
	r.publish(p, entries(1000, 2000)...)
	r.start(writer.Config{MaxBatch: 100})
	p.Close()
	r.restart(func(string) {})
	p = r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(1500, 3000)...)
	r.wait(reader)

	status, err := reader.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.DeadLetters != 1 || status.Outcomes.Inserted != 3000 {
		t.Errorf("%d dead letters, %d inserted", status.DeadLetters, status.Outcomes.Inserted)
	}
	if log := r.log.String(); strings.Contains(log, "went back") || strings.Contains(log, "missing") {
		t.Errorf("recovery without a reason:\n%s", log)
	}
}

func TestReal_aStreamThatLostItsTail(t *testing.T) {
	r := newReal(t)
	reader := r.reader()
	p := r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(0, 100)...)
	p.Close()

	older := filepath.Join(t.TempDir(), "older")
	r.restart(func(dir string) {
		if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	})
	stop := r.start(writer.Config{})
	p = r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(100, 150)...)
	r.wait(reader)
	p.Close()

	r.restart(func(dir string) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(older)); err != nil {
			t.Fatal(err)
		}
	})
	p = r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(200, 220)...)
	r.wait(reader)
	stop()
	if log := r.log.String(); !strings.Contains(log, "went back to the last entry in common") ||
		!strings.Contains(log, "seq=100 given_back=50 removed=50") {
		t.Errorf("no line says what was done:\n%s", log)
	}

	// A database made anew is the same.
	rows := r.rows()
	if len(rows) != 170 {
		t.Errorf("%d rows, want 170", len(rows))
	}
	r.path = filepath.Join(t.TempDir(), "anew.db")
	stop = r.start(writer.Config{})
	r.wait(r.reader())
	stop()
	if anew := r.rows(); !slices.Equal(rows, anew) {
		t.Errorf("rows:       %q\nmade anew: %q", rows, anew)
	}
}

func TestReal_aDatabaseRemovedUnderneathIsMadeAgain(t *testing.T) {
	r := newReal(t)
	r.start(writer.Config{})
	p := r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(0, 100)...)
	r.wait(r.reader())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(r.path + suffix); err != nil {
			t.Fatal(err)
		}
	}
	r.publish(p, entries(100, 200)...)
	r.wait(r.reader())
	stats, err := r.reader().Stats(t.Context())
	if err != nil || stats.Messages != 200 {
		t.Errorf("%d messages, want 200 (%v)\n%s", stats.Messages, err, r.log.String())
	}
}

// Nothing comes in any more, so only a look at the file itself shows that it is gone.
func TestReal_aDatabaseRemovedUnderAnIdleWriterIsMadeAgain(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(path + suffix); err != nil {
					t.Fatal(err)
				}
			}
		},
		"replaced": func(t *testing.T, path string) {
			older := filepath.Join(t.TempDir(), "app.db")
			s, err := store.Open(t.Context(), store.Config{Path: older})
			if err == nil {
				err = s.Close()
			}
			if err == nil {
				err = os.Rename(older, path)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReal(t)
			r.start(writer.Config{})
			r.publish(r.server.Publisher(t, stream.PublisherConfig{}), entries(0, 100)...)
			reader := r.reader()
			r.wait(reader)
			change(t, r.path)
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				stats, err := reader.Stats(t.Context())
				if _, gone := os.Stat(r.path); gone == nil && err == nil && stats.Messages == 100 && strings.Count(r.log.String(), "database open") == 2 {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d messages, want 100 (%v)\n%s", stats.Messages, err, r.log.String())
				}
			}
		})
	}
}

func TestReal_aSecondWriterTakesOver(t *testing.T) {
	r := newReal(t)
	stop := r.start(writer.Config{})
	p := r.server.Publisher(t, stream.PublisherConfig{})
	r.publish(p, entries(0, 100)...)
	r.wait(r.reader())
	r.start(writer.Config{})
	stop()
	r.publish(p, entries(100, 200)...)
	r.wait(r.reader())
}
