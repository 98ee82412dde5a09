// Package streamtest gives tests a real stream: a nats-server in the test's own
// process, on a folder of its own.
package streamtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/natsd"
	"sluice/internal/stream"
	"sluice/pkg/message"
)

// Wait bounds everything a test waits for.
const Wait = 20 * time.Second

// Token is what servers of this package ask for.
const Token = "test-token"

// Server is a running nats-server. It stops with the test.
type Server struct {
	*natsd.Server
	Dir string // of the store
}

// Start starts a server on an empty folder.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), "127.0.0.1:0")
}

// StartIn starts a server on the folder dir that listens at listen.
func StartIn(t testing.TB, dir, listen string) *Server {
	t.Helper()
	s, err := natsd.Start(natsd.Config{StoreDir: dir, Listen: listen, Token: Token}, Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return &Server{Server: s, Dir: dir}
}

// Connect returns a connection over TCP, as a writer has one.
func (s *Server) Connect(t testing.TB) *stream.Conn {
	t.Helper()
	return connect(t, stream.ConnConfig{URL: s.ClientURL(), Token: Token, Name: t.Name()})
}

// ConnectInProcess returns a connection inside the process, as the api has one.
func (s *Server) ConnectInProcess(t testing.TB) *stream.Conn {
	t.Helper()
	return connect(t, stream.ConnConfig{InProcess: s.Server, Token: Token, Name: t.Name()})
}

func connect(t testing.TB, cfg stream.ConnConfig) *stream.Conn {
	t.Helper()
	c, err := stream.Connect(cfg, Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Publisher makes the stream as cfg says and returns a publisher to it.
func (s *Server) Publisher(t testing.TB, cfg stream.PublisherConfig) *stream.Publisher {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	c := s.ConnectInProcess(t)
	if _, err := c.Ensure(ctx, cfg.Stream); err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewPublisher(c, cfg, metrics.NewSet(), Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// MakeAnew puts an empty stream in the place of the one that is there. Another stream
// stays meanwhile: a server whose last one goes removes the folder of all streams a
// moment later, maybe under the next one (nats-server, stream.go, stop).
func (s *Server) MakeAnew(t testing.TB, cfg stream.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	js := s.JetStream(t)
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "STAYS", Subjects: []string{"stays"}}); err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(ctx, stream.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ConnectInProcess(t).Ensure(ctx, cfg); err != nil {
		t.Fatal(err)
	}
}

// Consumer returns the consumer of the writer named name, over TCP.
func (s *Server) Consumer(t testing.TB, name string) *stream.Consumer {
	t.Helper()
	c := stream.NewConsumer(s.Connect(t), stream.ConsumerConfig{Name: name}, Quiet())
	t.Cleanup(c.Close)
	return c
}

// Entry returns a valid entry number n, to be published.
func Entry(n int) message.Entry {
	id := fmt.Sprintf("m%d", n)
	text := "hello"
	m := message.Message{ID: id, From: "+919876543210", To: "+14155550100", TS: "2025-01-15T10:00:00Z", Text: &text}
	data, err := message.Marshal(&m)
	if err != nil {
		panic("streamtest: " + err.Error())
	}
	return message.Entry{MsgID: message.HeaderID(id), Source: "plain", RequestID: "r" + id, Data: data}
}

// Quiet is a logger that says nothing.
func Quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// JetStream returns the server as nats.go shows it, for what only a test does.
func (s *Server) JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.Token(Token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
