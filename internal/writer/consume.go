package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/pkg/message"
)

// lookEvery is how often a writer looks whether its database is still in its place.
const lookEvery = time.Second

// consume applies the entries behind after until a step fails. While one batch
// is applied, fetch gets the next ready in a goroutine of its own; after a
// failure that batch is dropped, to be fetched again from the checkpoint.
func (w *Writer) consume(ctx context.Context, streamID string, after uint64) error {
	fetching, cancel := context.WithCancel(ctx)
	f := &fetcher{Writer: w, streamID: streamID, after: after, batches: make(chan batch)}
	var fetchErr error // to be read once batches is closed
	go func() {
		defer close(f.batches)
		fetchErr = f.run(fetching)
	}()
	defer func() {
		cancel()
		for range f.batches { // until fetch has returned
		}
	}()

	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var syncDue <-chan time.Time
	for {
		select {
		case b, ok := <-f.batches:
			if !ok {
				return fetchErr
			}
			if err := w.apply(ctx, b); err != nil {
				return err
			}
			if syncDue == nil {
				syncDue = time.After(w.cfg.SyncEvery)
			}
		case <-syncDue:
			syncDue = nil
			if err := w.sync(ctx); err != nil {
				return err
			}
			f.synced.Store(w.applied)
		case <-look.C:
			// Apply would notice, but nothing may come for hours.
			if err := w.store.InPlace(ctx); err != nil {
				return onStore("look at the file", err)
			}
		case f := <-w.commands:
			if err := f(ctx); err != nil {
				return err
			}
		}
	}
}

// fetcher is the side of consume that talks to the source, and alone does so.
type fetcher struct {
	*Writer
	streamID string
	after    uint64 // sequence of the last entry fetched
	perEntry int    // bytes of an entry, on average of the last fetch
	crowded  bool   // the last fetch got more than a few
	batches  chan batch
	synced   atomic.Uint64 // every entry up to here survives a power cut
}

// run fetches entries, makes batches of them and acknowledges what is synced.
func (f *fetcher) run(ctx context.Context) error {
	for {
		if seq := f.synced.Load(); seq > f.acked {
			if err := f.ack(ctx, seq); err != nil {
				return err
			}
		}
		entries, err := f.fetch(ctx)
		if err != nil {
			return err
		}
		for len(entries) > 0 {
			var front []message.Entry
			front, entries = cut(entries, f.cfg.MaxBatchBytes)
			select {
			case f.batches <- decode(f.streamID, front):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// crowd is how many entries of one fetch are more than a few: at the default of
// MaxBatchAge, 16 a millisecond.
const crowd = 32

// fetch waits for entries. It returns without any when an ack may be due.
func (f *fetcher) fetch(ctx context.Context) ([]message.Entry, error) {
	within, cancel := ctx, context.CancelFunc(func() {})
	if f.acked < f.after {
		within, cancel = context.WithTimeout(ctx, f.cfg.SyncEvery)
	}
	defer cancel()
	limit := f.cfg.MaxBatch
	if f.perEntry > 0 {
		limit = max(1, min(limit, f.cfg.MaxBatchBytes/f.perEntry))
	}
	age := f.cfg.MaxBatchAge
	if f.crowded {
		age = f.cfg.CrowdedBatchAge
	}
	entries, err := f.source.Fetch(within, limit, age)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && within.Err() != nil {
			return nil, nil
		}
		return nil, onStream("fetch", err)
	}
	size := 0
	for i := range entries {
		e := &entries[i]
		if e.Seq > f.after+1 {
			f.missing(f.after+1, e.Seq-1)
		}
		f.after = e.Seq
		size += len(e.Data)
	}
	f.perEntry = size / max(1, len(entries))
	f.crowded = len(entries) > crowd
	f.metrics.observeFetched(f.after)
	return entries, nil
}

// missing reports entries that are gone from the stream before they were applied.
func (w *Writer) missing(first, last uint64) {
	count := last - first + 1
	w.metrics.missing.AddInt64(int64(count))
	w.log.Error("entries are missing from the stream", "first", first, "last", last, "count", count)
}

// apply brings a batch into the store. A stop does not interrupt it.
func (w *Writer) apply(ctx context.Context, b batch) error {
	ctx = context.WithoutCancel(ctx)
	err := w.applyOnce(ctx, b)
	if errors.Is(err, message.ErrRefused) {
		return applyAround(b, err, func(part batch) error { return w.applyOnce(ctx, part) })
	}
	return err
}

func (w *Writer) applyOnce(ctx context.Context, b batch) error {
	began := w.now()
	applied, err := w.store.Apply(ctx, b.Batch)
	if err != nil {
		return onStore(fmt.Sprintf("apply entries %d to %d", b.first(), b.last()), err)
	}
	w.applied = b.last()
	ended := w.now()
	w.metrics.observeApplied(&b, &applied, ended.Sub(began))
	if w.cfg.OnApplied != nil {
		w.cfg.OnApplied(b.entries, began, ended)
	}
	for _, c := range applied.Conflicts {
		w.log.With(b.origin(c.Seq)...).Warn("conflict: the first message stays", "message_id", c.ID, "seq", c.Seq, "first_seq", c.FirstSeq)
	}
	for i := range b.DeadLetters {
		d := &b.DeadLetters[i]
		w.log.With(b.origin(d.Seq)...).Warn("dead letter: the entry can never be applied", "seq", d.Seq, "source", d.Source, "reason", d.Reason)
	}
	w.logEntries(ctx, &b)
	w.log.Debug("applied", "first", b.first(), "last", b.last(), "inserted", applied.Inserted,
		"duplicates", applied.Duplicates, "conflicts", len(applied.Conflicts), "dead_letters", applied.DeadLetters)
	return nil
}

// logEntries writes a line for each entry, so that a delivery can be followed by its
// request id or its trace to the database.
func (w *Writer) logEntries(ctx context.Context, b *batch) {
	if !w.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	for i := range b.entries {
		e := &b.entries[i]
		w.log.With(b.origin(e.Seq)...).Debug("entry applied", "seq", e.Seq, "source", e.Source, "msg_id", e.MsgID)
	}
}

// sync returns once what was applied survives a power cut.
func (w *Writer) sync(ctx context.Context) error {
	if err := w.store.Sync(ctx); err != nil {
		return onStore("sync", err)
	}
	status, err := w.store.Status(ctx)
	if err != nil {
		return onStore("read status", err)
	}
	w.metrics.observeStore(&status)
	return nil
}

// ack tells the stream that everything up to seq, which is synced, may be
// trimmed one day.
func (w *Writer) ack(ctx context.Context, seq uint64) error {
	if err := w.source.Ack(ctx, seq); err != nil {
		return onStream(fmt.Sprintf("ack %d", seq), err)
	}
	w.acked = seq
	return nil
}
