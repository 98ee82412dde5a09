// Package writer releases the stream's entries into the store: in order, each
// once, in batches, and acknowledges them once they are kept for good. It
// refuses to know what a stream or a store is made of: it declares what it needs
// of both and is handed it.
//
//	┌──▶ open ──▶ prove ────────▶ begin ──▶ fetch ─▶ decode ─▶ apply ──┐
//	│               │ not common    ▲         ▲                        │
//	│               ▼               │         ├────────────────────────┤
//	│           give back ──▶ rewind┘         └── ack ◀── sync ◀───────┘ now and then
//	│
//	└── wait ◀── a step failed, or the database was handed over: the batches
//	             under way are dropped whole
//
// DESIGN.md says why this loses nothing, repeats nothing and keeps the order.
package writer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/pkg/message"
)

// Config tunes a Writer. A zero field stands for its default.
type Config struct {
	// MaxBatch is how many entries one transaction takes at most. Default 10,000.
	MaxBatch int

	// MaxBatchBytes is how many bytes of entries one transaction takes at most;
	// a larger entry goes alone. Default 16 MiB.
	MaxBatchBytes int

	// MaxBatchAge is how long the first entry of a batch waits for company.
	// Default 2 ms.
	MaxBatchAge time.Duration

	// CrowdedBatchAge is the same while entries come in crowds: when the batch
	// before had more than a few. A row of a large batch costs half of what one
	// of a small batch does. Default 20 ms.
	CrowdedBatchAge time.Duration

	// SyncEvery is how long an applied entry waits for the sync and the ack that
	// it shares with those behind it. Default 500 ms.
	SyncEvery time.Duration

	// MinWait and MaxWait bound the pause after a failure; it doubles from one to
	// the other. Default 100 ms and 5 s.
	MinWait, MaxWait time.Duration

	// HandOverPause is how long the store is left alone after HandOver when nobody
	// calls TakeBack, for somebody else to take its lock. Default 2 s.
	HandOverPause time.Duration

	// OnApplied, unless nil, is told of the entries that a transaction has brought into
	// the store. It must not keep them.
	OnApplied func(entries []message.Entry, began, ended time.Time)
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxBatch, 10_000)
	setDefault(&c.MaxBatchBytes, 16<<20)
	setDefault(&c.MaxBatchAge, 2*time.Millisecond)
	setDefault(&c.CrowdedBatchAge, 20*time.Millisecond)
	setDefault(&c.SyncEvery, 500*time.Millisecond)
	setDefault(&c.MinWait, 100*time.Millisecond)
	setDefault(&c.MaxWait, 5*time.Second)
	setDefault(&c.HandOverPause, 2*time.Second)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

const (
	stopTimeout = 5 * time.Second  // bounds the last sync and ack
	firstNotice = 3 * time.Second  // of a stream that cannot be reached
	nextNotice  = 30 * time.Second // and from then on
)

// Ports is what a Writer stands between.
type Ports struct {
	Source Source    // where entries come from
	Stream Stream    // how many more there are
	Open   OpenStore // where they go
}

// Writer moves entries from a stream into a store.
type Writer struct {
	cfg    Config
	source Source
	stream Stream
	open   OpenStore
	log    *slog.Logger
	now    func() time.Time

	metrics     *instruments
	streamState condition // why no entries come
	storeState  condition // why none can be applied
	commands    chan command
	takeBack    chan struct{} // ends a pause

	store   Store  // nil until it is open, and after it has failed
	applied uint64 // the checkpoint's sequence
	acked   uint64 // of the stream's ack; changed by fetch while that runs
}

// New returns a Writer that registers its metrics in set. now is the clock.
func New(cfg Config, ports Ports, log *slog.Logger, set *metrics.Set, now func() time.Time) *Writer {
	w := &Writer{
		cfg:    cfg.withDefaults(),
		source: ports.Source,
		stream: ports.Stream,
		open:   ports.Open,
		log:    log,
		now:    now,

		commands: make(chan command),
		takeBack: make(chan struct{}, 1),
	}
	w.metrics = newInstruments(set, now)
	w.streamState.set(errors.New("not connected yet"))
	w.storeState.set(errors.New("not open yet"))
	return w
}

// StreamReady tells why no entries can be fetched, nil when they can.
func (w *Writer) StreamReady(context.Context) error { return w.streamState.get() }

// StoreReady tells why no entries can be applied, nil when they can.
func (w *Writer) StoreReady(context.Context) error { return w.storeState.get() }

// Run moves entries until ctx ends. Whatever fails meanwhile is logged and tried
// again; only a database that cannot be opened at the very start is an error.
// At the end the batch under way is applied or dropped whole, what was applied
// is synced and acknowledged, and the store is closed.
func (w *Writer) Run(ctx context.Context) error {
	if err := w.openStore(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // it stood by until the end
		}
		return err
	}
	watching, endWatch := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.watch(watching)
	}()
	w.follow(ctx)
	endWatch()
	<-watched
	w.stop()
	return nil
}

// follow runs one session after another until ctx ends.
func (w *Writer) follow(ctx context.Context) {
	var wait time.Duration
	for {
		began := w.now()
		err := w.session(ctx)
		if end, ok := errors.AsType[*handedOver](err); ok {
			w.pause(ctx, end)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if w.now().Sub(began) > w.cfg.MaxWait {
			wait = 0
		}
		wait = min(max(2*wait, w.cfg.MinWait), w.cfg.MaxWait)
		w.failed(err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// session goes once from open to the first failure.
func (w *Writer) session(ctx context.Context) error {
	if w.store == nil {
		if err := w.openStore(ctx); err != nil {
			return onStore("open", err)
		}
	}
	state, err := w.openStream(ctx)
	if err != nil {
		return onStream("open", err)
	}
	after, err := w.prove(ctx, state)
	if err != nil {
		return err
	}
	// Begin acknowledges everything before.
	if err := w.store.Sync(ctx); err != nil {
		return onStore("sync", err)
	}
	if err := w.source.Begin(ctx, after); err != nil {
		return onStream("begin", err)
	}
	w.acked = after
	w.streamState.set(nil)
	w.storeState.set(nil)
	w.log.Info("following the stream", "stream", state.ID, "applied", w.applied, "last", state.Last)
	return w.consume(ctx, state.ID, after)
}

// openStore opens the store and reads how far it is.
func (w *Writer) openStore(ctx context.Context) error {
	store, err := w.open(ctx)
	if err != nil {
		return err
	}
	status, err := store.Status(ctx)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	w.store = store
	w.metrics.observeStore(&status)
	w.storeState.set(nil)
	cp := status.Checkpoint
	w.log.Info("database open", "schema", status.Schema, "bytes", status.Bytes, "applied", cp.Seq, "stream", cp.StreamID)
	return nil
}

// openStream waits for the stream, and says so now and then.
func (w *Writer) openStream(ctx context.Context) (message.StreamState, error) {
	began := w.now()
	for notice := firstNotice; ; notice = nextNotice {
		within, cancel := context.WithTimeout(ctx, notice)
		state, err := w.source.Open(within)
		timedOut := within.Err() != nil
		cancel()
		switch {
		case err == nil:
			w.metrics.observeStream(&state)
			return state, nil
		case ctx.Err() != nil || !timedOut:
			return message.StreamState{}, err
		}
		w.log.Warn("waiting for the stream", "waited", w.now().Sub(began).Round(time.Second), "error", err)
	}
}

// failed deals with a session's end. A store that failed is opened anew: it may
// have been replaced, and after a failed sync only that tells what is on disk.
func (w *Writer) failed(err error, wait time.Duration) {
	var step *stepError
	if errors.As(err, &step) && step.stream {
		w.metrics.streamFailures.Inc()
		w.streamState.set(err)
		w.log.Warn("the stream failed", "error", err, "retry_in", wait)
		return
	}
	w.metrics.storeFailures.Inc()
	w.storeState.set(err)
	w.log.Error("the database failed", "error", err, "retry_in", wait)
	if err := w.closeStore(); err != nil {
		w.log.Error("the database did not close", "error", err)
	}
}

func (w *Writer) closeStore() error {
	if w.store == nil {
		return nil
	}
	store := w.store
	w.store = nil
	return store.Close()
}

// stop syncs and acknowledges what was applied and closes the store.
func (w *Writer) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if w.store != nil && w.acked < w.applied {
		err := w.sync(ctx)
		if err == nil {
			err = w.ack(ctx, w.applied)
		}
		if err != nil {
			w.log.Warn("stopped before the last ack", "error", err, "applied", w.applied, "acked", w.acked)
		}
	}
	if err := w.closeStore(); err != nil {
		w.log.Error("the database did not close", "error", err)
	}
	w.log.Info("writer stopped", "applied", w.applied)
}
