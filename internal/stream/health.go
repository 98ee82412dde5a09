package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// health is what a Publisher knows of its stream: from the answers it gets, and
// from a look each second.
type health struct {
	acked  atomic.Uint64 // highest sequence acknowledged here
	status atomic.Pointer[message.StreamStatus]
	wrong  atomic.Pointer[error] // why the last look or Ensure failed, nil when it did not
	failed atomic.Pointer[error] // a commit failed: for good
}

func (h *health) register(set *metrics.Set) {
	gauge := func(name string, f func(*message.StreamStatus) float64) {
		set.NewGauge(name, func() float64 {
			if s := h.status.Load(); s != nil {
				return f(s)
			}
			return 0
		})
	}
	set.NewGauge("sluice_stream_last_sequence", func() float64 { return float64(h.last()) })
	gauge("sluice_stream_first_sequence", func(s *message.StreamStatus) float64 { return float64(s.First) })
	gauge("sluice_stream_messages", func(s *message.StreamStatus) float64 { return float64(s.Messages) })
	gauge("sluice_stream_missing", func(s *message.StreamStatus) float64 { return float64(s.Missing) })
	gauge("sluice_stream_bytes", func(s *message.StreamStatus) float64 { return float64(s.Bytes) })
	gauge("sluice_stream_max_bytes", func(s *message.StreamStatus) float64 { return float64(s.MaxBytes) })
	gauge("sluice_stream_full", func(s *message.StreamStatus) float64 {
		if s.Full {
			return 1
		}
		return 0
	})
}

// last is the highest sequence known of.
func (h *health) last() uint64 {
	last := h.acked.Load()
	if s := h.status.Load(); s != nil {
		last = max(last, s.Last)
	}
	return last
}

func (h *health) acknowledged(seq uint64) {
	for {
		old := h.acked.Load()
		if seq <= old || h.acked.CompareAndSwap(old, seq) {
			return
		}
	}
}

func (h *health) fail(err error) { h.failed.CompareAndSwap(nil, &err) }

// Ready returns nil when a publish would be taken now, else why not.
func (p *Publisher) Ready() error {
	if err := p.health.failed.Load(); err != nil {
		return *err
	}
	if err := p.refusal(); err != nil {
		return err
	}
	if _, ok := p.conn.link(); !ok {
		return ErrAway
	}
	if err := p.health.wrong.Load(); err != nil {
		return *err
	}
	if s := p.health.status.Load(); s == nil {
		return ErrAway
	} else if s.Full {
		return ErrFull
	}
	return nil
}

// Acknowledged is the highest sequence that this publisher has acknowledged, 0
// when none.
func (p *Publisher) Acknowledged() uint64 { return p.health.acked.Load() }

// Run makes the stream as configured each time a connection is there, and looks
// at it each second, for Ready and the metrics. It answers those who wait for a
// server that takes no publishes any more. It returns nil when ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { p.watchStream(ctx) })
	both.Go(func() { p.watchRefusal(ctx) })
	both.Wait()
	return nil
}

func (p *Publisher) watchStream(ctx context.Context) {
	found := make(chan struct{}, 1)
	p.conn.whenFound(func() {
		select {
		case found <- struct{}{}:
		default:
		}
	})
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	ensured := false
	for {
		if _, ok := p.conn.link(); ok {
			ensured = p.look(ctx, ensured)
		}
		select {
		case <-ctx.Done():
			return
		case <-found:
			ensured = false
		case <-tick.C:
		}
	}
}

// look asks the stream how it is, after making it when need be, and reports
// whether it is as it should be.
func (p *Publisher) look(ctx context.Context, ensured bool) bool {
	timeout := p.cfg.Timeout
	if p.cfg.Stream.Replicas > 1 {
		timeout = min(timeout, replicatedLookTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := func() error {
		if !ensured {
			if _, err := p.conn.Ensure(ctx, p.cfg.Stream); err != nil {
				return err
			}
			ensured = true
		}
		s, err := p.conn.js.Stream(ctx, Name)
		if err != nil {
			ensured = !errors.Is(err, jetstream.ErrStreamNotFound)
			return fmt.Errorf("look at stream %s: %w", Name, err)
		}
		if err := quorum(s.CachedInfo()); err != nil {
			return err
		}
		now := status(s.CachedInfo())
		was := p.health.status.Swap(&now)
		if now.Missing > 0 && (was == nil || was.Missing != now.Missing) {
			p.log.Error("entries are missing from the stream: its files were damaged",
				"count", now.Missing, "first", now.First, "last", now.Last)
		}
		p.tellFull(was != nil && was.Full, &now)
		return nil
	}()
	if err == nil {
		if p.health.wrong.Swap(nil) != nil {
			p.log.Info("stream is as it should be")
		}
		p.conn.answered()
	} else if was := p.health.wrong.Swap(&err); (was == nil || was == &errNotSeen) && ctx.Err() == nil {
		p.log.Warn("stream is not as it should be", "error", err)
	}
	if err != nil {
		p.conn.unanswered()
	}
	return ensured
}

// tellFull says when the stream has come to its limit, and when it has room again.
func (p *Publisher) tellFull(was bool, now *message.StreamStatus) {
	switch {
	case now.Full && !was:
		p.log.Error("stream is full, publishes are refused until there is room", "bytes", now.Bytes, "max_bytes", now.MaxBytes, "last", now.Last)
	case was && !now.Full:
		p.log.Info("stream has room again", "bytes", now.Bytes, "max_bytes", now.MaxBytes)
	}
}
