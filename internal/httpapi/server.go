// Package httpapi serves the HTTP API: routes, limits, status codes, and the
// copying of bytes out of requests. It refuses to know what a signature is, what a
// body says and where messages go and come from.
//
// A request goes through these layers:
//
//	listener   how many connections there may be, and how one ends   listener.go, conn.go
//	fasthttp   HTTP itself; what it refuses goes to refused          server.go, refused.go
//	observe    request id, panics, access log, metrics               observe.go
//	guard      who may read, and security headers                    guard.go
//	Fiber      which handler                                         routes.go
//	handlers   webhook.go, messages.go, export.go, tail.go, stats.go, pipeline.go, health.go, login.go, …
//
// Fiber and fasthttp use the memory of a request again after its handler has
// returned, so nothing of it may be kept; what is kept is copied.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/ingest"
	"sluice/internal/operator"
	"sluice/internal/ops"
	"sluice/internal/query"
	"sluice/internal/source"
	"sluice/internal/tracing"
	"sluice/pkg/contract"
)

// Health tells whether a side of this process is ready, both when side is empty,
// and the reason of each check.
type Health interface {
	Report(ctx context.Context, side ops.Side) (ready bool, checks map[string]string)
}

// Config is what a Server is made of.
type Config struct {
	Acceptor *ingest.Acceptor
	Sources  []source.Source // the plain one at /webhook, any other at /webhook/<name>
	Query    *query.Service
	Pipeline *query.Pipeline
	Health   Health
	Guard    *operator.Guard // of everything but webhooks and health; nil = reading is open

	// AskWriter sends one of contract's commands to the writer of the database and
	// returns its answer. Its errors are ErrNoWriter and message.ErrDisconnected.
	AskWriter func(ctx context.Context, command string, request []byte) ([]byte, error)

	Trace *tracing.Tracer // of webhooks; nil = none

	WriteMetrics func(io.Writer) // the page of /metrics
	Log          *slog.Logger
	Metrics      *metrics.Set

	// MaxBodyBytes bounds the body of a webhook; a larger one gets 413.
	// 0 = 4 MiB.
	MaxBodyBytes int

	// BodyLimits are smaller bounds for sources of these names.
	BodyLimits map[string]int64

	// MaxConns bounds the connections, busy and idle; further ones get 503. An
	// idle one costs some 30 KiB. 0 = 16384.
	MaxConns int

	// MaxBufferedBytes bounds the bodies beyond 64 KiB that are in memory at the
	// same time; further ones get 503. 0 = 64 times MaxBodyBytes.
	MaxBufferedBytes int64

	// ReadTimeout bounds the time from the first byte of a request to its last,
	// however long it is. 0 = 30 seconds.
	ReadTimeout time.Duration

	// WriteTimeout bounds the time in which a client takes an answer, or a piece
	// of an export. 0 = 60 seconds.
	WriteTimeout time.Duration

	// IdleTimeout is how long a connection may wait for its next request. It is
	// longer than the minute for which balancers keep idle connections, so that
	// they end them first. 0 = 2 minutes.
	IdleTimeout time.Duration

	// RetryAfter is what a 503 asks its client to wait, in whole seconds.
	// 0 = 1 second.
	RetryAfter time.Duration
}

func (cfg Config) withDefaults() Config {
	setDefault(&cfg.MaxBodyBytes, 4<<20)
	setDefault(&cfg.MaxConns, 16384)
	setDefault(&cfg.MaxBufferedBytes, 64*int64(cfg.MaxBodyBytes))
	setDefault(&cfg.ReadTimeout, 30*time.Second)
	setDefault(&cfg.WriteTimeout, time.Minute)
	setDefault(&cfg.IdleTimeout, 2*time.Minute)
	setDefault(&cfg.RetryAfter, time.Second)
	return cfg
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// headerBytes bounds the request line and the header together: room for the longest
// id with every byte escaped, and for most of what q may be. Every connection has a
// buffer of this size.
const headerBytes = 16 << 10

// Server is the api's HTTP server.
type Server struct {
	cfg    Config
	app    *fiber.App
	http   *fasthttp.Server
	routes routeTable
	stats  requestMetrics
	bodies bodyBudget
	tails  chan struct{} // holds a token for each

	rejections rejections

	// base is what handlers work under. It outlives the moment at which the
	// server stops accepting, and ends when Shutdown has waited long enough.
	base    context.Context
	abandon context.CancelFunc

	// accepting ends when the server stops accepting: answers without an end do.
	accepting context.Context
	refuse    context.CancelFunc
	leaving   atomic.Bool // clients are to come back elsewhere
	stopping  atomic.Bool

	mu       sync.Mutex
	listener *listener // nil before Serve
}

// New returns a Server that does not listen yet.
func New(cfg Config) *Server {
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, tails: make(chan struct{}, maxTails)}
	s.bodies.free.Store(cfg.MaxBufferedBytes)
	s.base, s.abandon = context.WithCancel(context.Background())
	s.accepting, s.refuse = context.WithCancel(s.base)
	s.app = fiber.New(fiber.Config{
		CaseSensitive:                true,
		StrictRouting:                true,
		BodyLimit:                    cfg.MaxBodyBytes,
		Concurrency:                  cfg.MaxConns + spareWorkers,
		ReadTimeout:                  cfg.ReadTimeout,
		WriteTimeout:                 cfg.WriteTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		ReadBufferSize:               headerBytes,
		StreamRequestBody:            true, // so that bodies are read by readBody, under its limits
		DisablePreParseMultipartForm: true, // which would read them before
		DisableStartupMessage:        true,
		ErrorHandler:                 s.renderError,
	})
	s.register()
	s.stats.register(cfg.Metrics, s.routes)

	s.http = s.app.Server()
	s.http.Handler = s.observe(s.guard(s.app.Handler()))
	s.http.ErrorHandler = s.refused
	s.http.HeaderReceived = s.headerReceived
	s.http.SecureErrorLogMessage = true // errors hold no bytes of the request
	s.http.Logger = fasthttpLog{cfg.Log}
	return s
}

// Serve answers on ln until Shutdown is called, and then returns nil at once. It
// takes ln over.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.stopping.Load() {
		s.mu.Unlock()
		return ln.Close()
	}
	s.listener = s.newListener(ln)
	s.mu.Unlock()
	return s.http.Serve(s.listener)
}

// Leave goes on answering, and has every client leave with its answer: the next
// connection of a balancer goes to another process.
func (s *Server) Leave() { s.leaving.Store(true) }

// Shutdown stops accepting, finishes what was accepted, and closes every
// connection. Requests that are not finished when ctx ends are abandoned: their
// context ends, their connections are closed, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Leave()
	s.mu.Lock()
	s.stopping.Store(true)
	s.refuse()
	ln := s.listener
	s.mu.Unlock()
	defer s.abandon()
	if ln == nil {
		return nil
	}
	// Before fasthttp's own Shutdown, which closes connections that it takes for
	// idle, the ones included that have just been read from.
	err := errors.Join(ln.Close(), ln.drain(ctx))
	s.abandon()
	ln.closeAll()
	return errors.Join(err, s.http.ShutdownWithContext(ctx))
}

// fasthttpLog takes what fasthttp has to say, which is about connections that
// broke.
type fasthttpLog struct{ log *slog.Logger }

func (l fasthttpLog) Printf(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("connection ended", "detail", fmt.Sprintf(format, args...))
	}
}

// webhookPath is where deliveries of the source come in.
func webhookPath(src source.Source) string {
	if src.Name() == source.PlainName {
		return contract.PathWebhook
	}
	return contract.PathWebhook + "/" + src.Name()
}
