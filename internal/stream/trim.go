package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// Files is what trimming must know of an embedded server's files.
type Files interface {
	// BlockStarts returns the sequence of the first entry in each block file of
	// the stream, ascending.
	BlockStarts(stream string) ([]uint64, error)

	// SyncTree makes everything that the server has written durable.
	SyncTree() error
}

// TrimmerConfig of a Trimmer.
type TrimmerConfig struct {
	// Retention is the least age of an entry that is removed.
	Retention time.Duration

	// Files of the embedded server; nil for an external one, which keeps its
	// own promises wherever the stream is cut.
	Files Files

	// Interval between two looks; 0 = 1 minute.
	Interval time.Duration

	// Settle is how long Run waits before its first look, for writers to come
	// back: a server forgets a consumer that was new when the power failed.
	// 0 = 10 minutes.
	Settle time.Duration
}

const (
	defaultTrimInterval = time.Minute
	defaultTrimSettle   = 10 * time.Minute
	trimTimeout         = time.Minute
)

// Trimmer removes entries that every writer keeps for good and that are past
// retention. See DESIGN.md for what it never removes, and why.
type Trimmer struct {
	cfg  TrimmerConfig
	conn *Conn
	now  func() time.Time
	log  *slog.Logger
}

// NewTrimmer returns a Trimmer of conn's stream.
func NewTrimmer(conn *Conn, cfg TrimmerConfig, now func() time.Time, log *slog.Logger) *Trimmer {
	if cfg.Interval == 0 {
		cfg.Interval = defaultTrimInterval
	}
	if cfg.Settle == 0 {
		cfg.Settle = defaultTrimSettle
	}
	return &Trimmer{cfg: cfg, conn: conn, now: now, log: log}
}

// Run trims at each interval. It returns nil when ctx ends.
func (t *Trimmer) Run(ctx context.Context) error {
	for wait := t.cfg.Settle; sleep(ctx, wait); wait = t.cfg.Interval {
		if _, ok := t.conn.link(); !ok {
			continue
		}
		if err := t.trim(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("stream was not trimmed", "error", err)
		}
	}
	return nil
}

func (t *Trimmer) trim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, trimTimeout)
	defer cancel()
	removed, err := t.Trim(ctx)
	if removed > 0 {
		t.log.Info("stream trimmed", "entries", removed)
	}
	return err
}

// Trim removes what may be removed now and returns how many sequences that were.
func (t *Trimmer) Trim(ctx context.Context) (removed uint64, err error) {
	s, err := t.conn.js.Stream(ctx, Name)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", Name, err)
	}
	st := state(s.CachedInfo())
	acked, err := ackedByAll(ctx, s)
	if err != nil {
		return 0, err
	}
	// The cut is the first entry that stays. It is never behind the last: a
	// purge of everything would move the stream to a folder of its own.
	cuts, err := t.cuts(st.First, min(acked+1, st.Last))
	if err != nil {
		return 0, err
	}
	cut, err := t.lastExpired(ctx, cuts)
	if err != nil || cut <= st.First {
		return 0, err
	}
	if t.cfg.Files != nil { // the consumers that allowed it must survive it
		if err := t.cfg.Files.SyncTree(); err != nil {
			return 0, err
		}
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(cut)); err != nil {
		return 0, fmt.Errorf("purge up to %d: %w", cut, err)
	}
	return cut - st.First, nil
}

// ackedByAll returns the sequence that every writer has acknowledged; 0 when
// there is no writer, for a writer may be yet to come.
func ackedByAll(ctx context.Context, s jetstream.Stream) (uint64, error) {
	// Names come from what a cluster has agreed upon, the rest from each consumer's
	// leader: one that has none for a moment is missing there without a word.
	names := map[string]bool{}
	list := s.ConsumerNames(ctx)
	for name := range list.Name() {
		names[name] = true
	}
	if err := list.Err(); err != nil {
		return 0, fmt.Errorf("list the writers of %s: %w", Name, err)
	}
	all, err := consumers(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		delete(names, c.Name)
	}
	for name := range names {
		return 0, fmt.Errorf("%w: %s", errUnasked, name)
	}
	return lowestAck(all), nil
}

// errUnasked passes: the consumer gets a leader, or was one of a moment and is gone.
var errUnasked = errors.New("a consumer cannot be asked what it has acknowledged")

// lowestAck is the sequence that all durable consumers have acknowledged, 0 when
// there are none.
func lowestAck(consumers []*jetstream.ConsumerInfo) uint64 {
	all := durable(consumers)
	if len(all) == 0 {
		return 0
	}
	acked := all[0].Acked
	for _, w := range all[1:] {
		acked = min(acked, w.Acked)
	}
	return acked
}

// cuts is the ascending list of sequences at which the stream may be cut: n of
// them, at gives each.
type cuts struct {
	n  int
	at func(i int) uint64
}

// cuts returns where the stream may be cut between first and last, both
// included. An embedded server's stream is cut between two blocks only.
func (t *Trimmer) cuts(first, last uint64) (cuts, error) {
	if last < first {
		return cuts{}, nil
	}
	if t.cfg.Files == nil {
		return cuts{int(last - first + 1), func(i int) uint64 { return first + uint64(i) }}, nil
	}
	starts, err := t.cfg.Files.BlockStarts(Name)
	if err != nil {
		return cuts{}, err
	}
	n := sort.Search(len(starts), func(i int) bool { return starts[i] > last })
	return cuts{n, func(i int) uint64 { return starts[i] }}, nil
}

// lastExpired returns the last cut whose entry, and so every one before it, is
// past retention; 0 when there is none. Acceptance times ascend with sequences.
func (t *Trimmer) lastExpired(ctx context.Context, c cuts) (uint64, error) {
	limit := t.now().Add(-t.cfg.Retention)
	var failed error
	n := sort.Search(c.n, func(i int) bool {
		if failed != nil {
			return true
		}
		e, err := t.conn.entryFrom(ctx, c.at(i))
		if err != nil && !errors.Is(err, message.ErrNoEntry) {
			failed = err
		}
		return err != nil || e.AcceptedAt.After(limit)
	})
	if failed != nil || n == 0 {
		return 0, failed
	}
	return c.at(n - 1), nil
}
