package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// spareWorkers is how many more connections fasthttp would serve than the listener
// lets through: workers whose connection has just been closed.
const spareWorkers = 1024

// listener accepts connections up to a number, and knows them. The number bounds
// memory: each has a goroutine and buffers.
type listener struct {
	net.Listener
	log     *slog.Logger
	max     int
	refused *metrics.Counter
	refuse  func(net.Conn) // answers a connection too many
	turned  chan struct{}  // holds a token for each connection that is being refused

	closing  sync.Once
	closeErr error
	closed   chan struct{}

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// turnedAway bounds the connections that are being refused at the same time;
// beyond it they are just closed.
const turnedAway = 64

func (s *Server) newListener(ln net.Listener) *listener {
	return &listener{
		Listener: ln,
		log:      s.cfg.Log,
		max:      s.cfg.MaxConns,
		refused:  s.stats.connsRefused,
		refuse:   s.turnAway,
		turned:   make(chan struct{}, turnedAway),
		closed:   make(chan struct{}),
		conns:    map[*conn]struct{}{},
	}
}

// Accept returns the next connection to serve. Being out of file descriptors or
// of memory passes, so only a closed listener is an error.
func (l *listener) Accept() (net.Conn, error) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		raw, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			l.log.Warn("accepting connections", "error", err, "pause_ms", pause.Milliseconds())
			if !l.sleep(pause) {
				return nil, net.ErrClosed
			}
			pause = min(2*pause, longest)
			continue
		}
		pause = shortest
		if c := l.take(raw); c != nil {
			return c, nil
		}
		l.turnAway(raw)
	}
}

// sleep returns false as soon as the listener is closed.
func (l *listener) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	}
}

// take returns nil when there are too many connections already, or none are taken
// any more.
func (l *listener) take(raw net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.max || l.isClosed() {
		return nil
	}
	c := &conn{Conn: raw, listener: l}
	l.conns[c] = struct{}{}
	return c
}

func (l *listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

func (l *listener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *listener) turnAway(raw net.Conn) {
	l.refused.Inc()
	select {
	case l.turned <- struct{}{}:
		go func() {
			defer func() { <-l.turned }()
			l.refuse(raw)
		}()
	default:
		_ = raw.Close()
	}
}

// Close stops accepting. It may be called again.
func (l *listener) Close() error {
	l.closing.Do(func() {
		close(l.closed)
		l.closeErr = l.Listener.Close()
	})
	return l.closeErr
}

// drainStep is how often drain looks for connections that have become idle.
const drainStep = 10 * time.Millisecond

// drain ends the connections that wait for a request, again and again until none
// is left or ctx ends. A request under way is answered first.
func (l *listener) drain(ctx context.Context) error {
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	for {
		if l.each((*conn).wakeIdle) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// closeAll closes every connection, whatever it does.
func (l *listener) closeAll() {
	l.each(func(c *conn) { _ = c.Conn.Close() })
}

// each calls f for every connection and returns how many there are.
func (l *listener) each(f func(*conn)) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
	return len(l.conns)
}
