// Package natsd runs a nats-server inside this process and knows what it keeps
// on disk: where a stream's blocks lie, how to make them durable, and when the
// server is stuck. It refuses to know what the messages are for, and who
// publishes them: it imports nothing of ours.
package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// MaxPayloadLimit is the largest Config.MaxPayload, in bytes. nats-server takes a
// record of more than 32 MiB for damage (filestore.go, rlBadThresh); a MiB is
// left for its subject and headers.
const MaxPayloadLimit = 31 << 20

// minMaxPayload is nats-server's own default (const.go, MAX_PAYLOAD_SIZE): its
// JetStream API answers need that much.
const minMaxPayload = 1 << 20

// startTimeout bounds the wait for the listener. Recovering a large stream
// comes before it and is not bounded.
const startTimeout = 10 * time.Second

// Config of an embedded server.
type Config struct {
	// StoreDir is the folder of the JetStream file store; made if absent. It
	// must belong to this server alone.
	StoreDir string

	// Listen is host:port for TCP clients. Port 0 takes a free one, see
	// Server.ClientURL.
	Listen string

	// Token is asked of every client when set, the in-process one included. It
	// must be set to listen beyond loopback.
	Token string

	// MaxPayload is the largest message in bytes, headers included; at most
	// MaxPayloadLimit, 0 = 1 MiB.
	MaxPayload int

	// SyncAlways makes the server sync each message to disk before its ack, one
	// by one. Off, an ack promises no more than the page cache: see Barrier.
	SyncAlways bool

	// Reserve is the free disk, in bytes, below which Fit says ErrLowDisk: a
	// server that meets a full disk must be restarted. 0 = a twentieth of the
	// disk, but 8 to 512 MiB.
	Reserve int64

	// Cluster makes the server a node of a cluster; nil for one by itself.
	Cluster *Cluster
}

// Validate says what is wrong with c, nil when nothing is.
func (c Config) Validate() error {
	if c.StoreDir == "" {
		return errors.New("the store folder is not set")
	}
	if c.MaxPayload < 0 || c.MaxPayload > MaxPayloadLimit {
		return fmt.Errorf("the largest payload is %d bytes, %d is more than the store can keep", MaxPayloadLimit, c.MaxPayload)
	}
	host, _, err := c.address()
	if err != nil {
		return err
	}
	if c.Token == "" && !isLoopback(host) {
		return fmt.Errorf("listening on %s, beyond loopback, needs a token", c.Listen)
	}
	return nil
}

func (c Config) address() (host string, port int, err error) { return splitAddress(c.Listen) }

func splitAddress(listen string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address: %w", err)
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("listen address %q: the port is not a number from 0 to 65535", listen)
	}
	return host, port, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Server is a nats-server with JetStream in this process. Its methods may be
// called at once from several goroutines.
type Server struct {
	cfg  Config
	log  *slog.Logger
	opts *server.Options

	mu       sync.RWMutex
	srv      *server.Server // nil before Start, replaced by Restart
	stopped  bool
	barriers []*Barrier

	lowDisk, stuck atomic.Pointer[error] // what Fit returns, nil for nothing

	healthInterval time.Duration
	alarm          chan struct{} // holds a token when the server's health is to be looked at now
}

// New returns a server that is not started: it has no connections to give, and
// Fit and Run may be used.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded stream: %w", err)
	}
	host, port, err := cfg.address()
	if err != nil {
		return nil, fmt.Errorf("embedded stream: %w", err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s := &Server{cfg: cfg, log: log, healthInterval: healthInterval, alarm: make(chan struct{}, 1), opts: &server.Options{
		ServerName:    "sluice",
		Host:          host,
		Port:          port,
		Authorization: cfg.Token,
		MaxPayload:    int32(max(cfg.MaxPayload, minMaxPayload)),
		StoreDir:      filepath.Clean(cfg.StoreDir),
		JetStream:     true,
		SyncAlways:    cfg.SyncAlways,
		NoSigs:        true,

		// The stream's own limit and the disk reserve bound the store; the
		// default, three quarters of the free disk at this start, would refuse
		// a stream that had room at an earlier one.
		JetStreamMaxStore: 1 << 60,
	}}
	if cfg.Cluster != nil {
		if err := cfg.Cluster.apply(s.opts); err != nil {
			return nil, fmt.Errorf("embedded stream: %w", err)
		}
	}
	s.watchDisk() // so that Fit knows from the start
	return s, nil
}

// Start returns a server that is started.
func Start(cfg Config, log *slog.Logger) (*Server, error) {
	s, err := New(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// Start starts the server and returns once it takes connections. The folder is
// recovered first, so on a large stream that takes a moment. After an error it may
// be called again; once the server is started it does nothing.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errClosed
	}
	if s.srv != nil {
		return nil
	}
	if err := makeDir(s.opts.StoreDir); err != nil {
		return fmt.Errorf("embedded stream: %w", err)
	}
	srv, err := s.start()
	if err != nil {
		return fmt.Errorf("embedded stream: %w", err)
	}
	s.srv = srv
	// A restart must come back where the clients are.
	s.opts.Port = srv.Addr().(*net.TCPAddr).Port
	return nil
}

func (s *Server) start() (*server.Server, error) {
	if err := removeLeftovers(s.opts.StoreDir); err != nil {
		return nil, err
	}
	if err := repairDescriptions(s.opts.StoreDir); err != nil {
		return nil, err
	}
	blocks, err := sizesOfBlocks(s.opts.StoreDir)
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(s.opts.Clone())
	if err != nil {
		return nil, err
	}
	out := &logger{log: s.log, onError: s.alarmed}
	srv.SetLoggerV2(out, false, false, false)
	srv.Start() // returns once it listens
	if err := out.fatal(); err != nil {
		stop(srv)
		return nil, err
	}
	if !srv.ReadyForConnections(startTimeout) {
		stop(srv)
		return nil, fmt.Errorf("it takes no connections after %v", startTimeout)
	}
	if err := blocks.sayWhatWasCut(s.opts.StoreDir, s.log); err != nil {
		stop(srv)
		return nil, err
	}
	return srv, nil
}

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// Shutdown stops the server and returns once its files are written and closed.
// A second call does nothing.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	if s.srv != nil {
		stop(s.srv)
	}
	for _, b := range s.barriers {
		b.close()
	}
}

// Restart stops the server and starts it again on the same folder and address:
// the only cure for one that has met a write error (nats-server, filestore.go,
// setWriteErr: for good). Clients reconnect by themselves. Barriers let nobody
// through until the store, as it was recovered, has been made durable.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errClosed
	}
	return s.restart()
}

// SyncEach restarts the server so that it syncs each message by itself before its
// ack, as Config.SyncAlways has it.
func (s *Server) SyncEach() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errClosed
	}
	s.opts.SyncAlways = true
	return s.restart()
}

// restart is Restart; the lock is held and the server started.
func (s *Server) restart() error {
	for _, b := range s.barriers {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	stop(s.srv)
	srv, err := s.start()
	if err != nil {
		return fmt.Errorf("restart the embedded stream: %w", err)
	}
	s.srv = srv
	for _, b := range s.barriers {
		if b.err == nil {
			b.err = b.open()
		}
		err = errors.Join(err, b.err)
	}
	return err
}

// ClientURL is where TCP clients connect to, without the token.
func (s *Server) ClientURL() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.srv.ClientURL()
}

// InProcessConn returns a new connection to the server that runs now, which
// makes Server a nats.InProcessConnProvider. A client that reconnects through
// it finds the server again after a Restart.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.stopped || s.srv == nil {
		return nil, net.ErrClosed
	}
	return s.srv.InProcessConn()
}
