// Package stream is the JetStream side of sluice: it publishes entries, hands
// them to a writer, reads them again and trims them. An embedded server and an
// external cluster make no difference to it. It refuses to know what an entry's
// bytes say, and how the server keeps them.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// ConnConfig says where the server is.
type ConnConfig struct {
	// URL of the server or of a cluster's members, separated by commas. Unused
	// with InProcess.
	URL string

	// InProcess is the server inside this process, nil for one behind URL.
	InProcess nats.InProcessConnProvider

	// Token is the server's, empty when it asks for none.
	Token string

	// Name shows in the server's list of clients.
	Name string
}

const (
	connectTimeout = 2 * time.Second

	// A dead peer is noticed within three pings.
	pingInterval = 2 * time.Second
	maxPings     = 2

	// Half of what a reader waits by default (READ_WAIT): a writer that waited for
	// the api is there before who reads what that api has just taken gives up.
	reconnectMin = 50 * time.Millisecond
	reconnectMax = 250 * time.Millisecond

	// The same at a server that refuses the token, and logs each attempt.
	refusedMax = 2 * time.Second
)

// Conn is a connection to the server that comes back by itself for as long as
// it takes.
type Conn struct {
	log *slog.Logger
	nc  *nats.Conn
	js  jetstream.JetStream

	inProcess bool        // there is one server
	refused   atomic.Bool // for the token, at the last attempt

	mu          sync.Mutex
	lost        chan struct{} // closed when the connection is lost, then made anew
	away        bool
	silentSince time.Time // since when the stream could not be asked, see unanswered
	onLost      []func()
	onFound     []func()
}

// Connect returns at once, connected or not: a server that is away is waited
// for. It fails only on a configuration that can never work.
func Connect(cfg ConnConfig, log *slog.Logger) (*Conn, error) {
	c := &Conn{log: log, inProcess: cfg.InProcess != nil, lost: make(chan struct{}), away: true}
	nc, err := nats.Connect(cfg.URL, c.options(cfg)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the stream: %w", err)
	}
	c.nc = nc
	if c.js, err = jetstream.New(nc); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to the stream: %w", err)
	}
	if nc.IsConnected() {
		c.found()
	}
	return c, nil
}

func (c *Conn) options(cfg ConnConfig) []nats.Option {
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.Timeout(connectTimeout),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(maxPings),
		nats.MaxReconnects(-1), nats.CustomReconnectDelay(c.reconnectDelay),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.refused.Store(errors.Is(err, nats.ErrAuthorization)) }),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // a token may be corrected on the other side
		nats.ReconnectBufSize(-1),   // a publish while away fails at once
		nats.ConnectHandler(func(*nats.Conn) { c.found() }),
		nats.ReconnectHandler(func(*nats.Conn) { c.found() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.gone(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.log.Warn("stream connection error", "error", err)
		}),
	}
	if cfg.InProcess != nil {
		opts = append(opts, nats.InProcessServer(cfg.InProcess))
	}
	if cfg.Token != "" {
		opts = append(opts, nats.Token(cfg.Token))
	}
	return opts
}

// reconnectDelay doubles with each round of attempts and spreads clients out,
// so that a server that comes back is not met by all of them at once.
func (c *Conn) reconnectDelay(attempts int) time.Duration {
	longest := reconnectMax
	if c.refused.Load() {
		longest = refusedMax
	}
	d := min(reconnectMin<<min(attempts, 10), longest)
	return d/2 + rand.N(d/2)
}

func (c *Conn) found() {
	c.mu.Lock()
	was := c.away
	c.away = false
	then := slices.Clone(c.onFound)
	c.mu.Unlock()
	if was {
		c.log.Info("stream connected")
	}
	for _, f := range then {
		f()
	}
}

func (c *Conn) gone(err error) {
	c.mu.Lock()
	was := c.away
	c.away = true
	close(c.lost)
	c.lost = make(chan struct{})
	then := slices.Clone(c.onLost)
	c.mu.Unlock()
	if !was && err != nil {
		c.log.Warn("stream disconnected", "error", err)
	}
	for _, f := range then {
		f()
	}
}

// Close closes the connection. What was published and not yet answered is lost
// track of: close the Publisher first.
func (c *Conn) Close() { c.nc.Close() }

// Wait returns nil once there is a connection, or why there was none when ctx ended.
func (c *Conn) Wait(ctx context.Context) error {
	if _, ok := c.link(); ok {
		return nil
	}
	found := make(chan struct{}, 1)
	c.whenFound(func() {
		select {
		case found <- struct{}{}:
		default:
		}
	})
	if _, ok := c.link(); ok {
		return nil
	}
	select {
	case <-found:
		return nil
	case <-ctx.Done():
		return c.whyAway()
	}
}

// link returns a channel that is closed when the present connection is lost;
// ok is false when there is none.
func (c *Conn) link() (lost <-chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost, !c.away
}

// session returns a context that ends when the present connection is lost, or
// message.ErrDisconnected when there is none.
func (c *Conn) session() (context.Context, context.CancelFunc, error) {
	lost, ok := c.link()
	if !ok {
		return nil, nil, c.whyAway()
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		select {
		case <-lost:
			end()
		case <-ctx.Done():
		}
	}()
	return ctx, end, nil
}

// whyAway returns message.ErrDisconnected with what the last attempt to connect
// met, such as a wrong token.
func (c *Conn) whyAway() error {
	if err := c.nc.LastError(); err != nil {
		return fmt.Errorf("%w: %w", message.ErrDisconnected, err)
	}
	return message.ErrDisconnected
}

// during returns a context that ends with ctx and with the session.
func during(ctx, session context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(session, cancel)
	return ctx, func() { stop(); cancel() }
}

// whenLost has f called each time the connection is lost, and whenFound each
// time it is there (again). f must not block.
func (c *Conn) whenLost(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onLost = append(c.onLost, f)
}

func (c *Conn) whenFound(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onFound = append(c.onFound, f)
}

// sleep waits d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
