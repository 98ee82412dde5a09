package natsd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A write error is noticed when it happens: here no other look at the server's
// health would come in time.
func TestFit_aWriteErrorIsNoticedAtOnce(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(Config{StoreDir: dir, Listen: "127.0.0.1:0", Reserve: 1}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	s.healthInterval = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })

	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxBytes: ProbeStreamBytes}
	if _, err := js.CreateStream(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "jetstream", "$G", "streams", "S", "msgs", "2.blk", "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Fit(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !errors.Is(s.Fit(), ErrStuck); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the write error was never noticed")
		}
		if err := nc.Publish("s", make([]byte, 4000)); err != nil {
			t.Fatal(err)
		}
	}
}
