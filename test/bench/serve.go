package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/httpapi"
	"sluice/internal/ingest"
	"sluice/internal/natsd"
	"sluice/internal/ops"
	"sluice/internal/source"
	"sluice/internal/stream"
	"sluice/pkg/message"
	"sluice/test/harness"
)

// A comparison is the api's own handler in a process of its own, before another
// publisher.
const (
	ceiling    = "ceiling"     // answers as soon as a webhook is verified and parsed
	syncAlways = "sync-always" // a stream that syncs each message by itself, as JetStream can
)

// serveVariable names the comparison that this process is to serve at the
// listener it got as its first extra file. Its data goes into the working folder.
const serveVariable = "SLUICE_BENCH_SERVE"

// serveWhenAsked serves a comparison and ends the process, if it is to be one.
func serveWhenAsked() {
	kind := os.Getenv(serveVariable)
	if kind == "" {
		return
	}
	if err := serve(kind); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(kind string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ln, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	set := metrics.NewSet()
	log, flush := ops.NewLogger(os.Stdout, slog.LevelInfo)
	defer flush()

	var publisher ingest.Publisher = &answering{}
	if kind == syncAlways {
		publisher, err = syncingPublisher(ctx, set)
		if err != nil {
			return err
		}
	}
	plain := source.NewPlain(source.Secrets{Current: harness.Secret})
	sources := []source.Source{plain}
	server := httpapi.New(httpapi.Config{
		Acceptor: ingest.New(ingest.Config{Publisher: publisher, Sources: sources, Metrics: set, Now: time.Now}),
		Sources:  sources,
		Health:   &ops.Health{},
		Log:      log,
		Metrics:  set,
	})
	go func() {
		<-ctx.Done()
		within, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(within) // Serve says what was wrong
	}()
	return server.Serve(ln)
}

// answering publishes nothing, one at a time.
type answering struct {
	ingest.Publisher
	seq atomic.Uint64
}

func (a *answering) Publish(context.Context, message.Entry) (message.Receipt, error) {
	return message.Receipt{Seq: a.seq.Add(1)}, nil
}

func syncingPublisher(ctx context.Context, set *metrics.Set) (ingest.Publisher, error) {
	log, _ := ops.NewLogger(os.Stderr, slog.LevelInfo)
	server, err := natsd.Start(natsd.Config{StoreDir: "jetstream", Listen: "127.0.0.1:0", SyncAlways: true}, log)
	if err != nil {
		return nil, err
	}
	conn, err := stream.Connect(stream.ConnConfig{InProcess: server, Name: "bench"}, log)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Ensure(ctx, stream.Config{}); err != nil {
		return nil, err
	}
	return stream.NewPublisher(conn, stream.PublisherConfig{}, set, log)
}

// comparison is a running process that serves one.
type comparison struct {
	addr string
	cmd  *exec.Cmd
}

// startComparison starts one; it ends with the test.
func startComparison(t testing.TB, kind string) *comparison {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()

	cmd := exec.Command(self)
	cmd.Dir, cmd.Env = dir, []string{serveVariable + "=" + kind}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &comparison{addr: "127.0.0.1:" + strconv.Itoa(ln.Addr().(*net.TCPAddr).Port), cmd: cmd}
}
