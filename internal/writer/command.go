package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/pkg/message"
)

// ErrBusy is returned for what is asked of a writer that is not following the
// stream: it waits for the stream, or for the database. A retry succeeds once it
// does.
var ErrBusy = errors.New("the writer is not following the stream right now")

// command is something to be done between two batches. An error that ends
// the session is returned, every other is the caller's.
type command func(ctx context.Context) (end error)

// do has f run between two batches, and returns when it was.
func (w *Writer) do(ctx context.Context, f command) error {
	done := make(chan struct{})
	wrapped := func(ctx context.Context) error {
		defer close(done)
		return f(ctx)
	}
	select {
	case w.commands <- wrapped:
		<-done
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}

// RetryDeadLetters decodes dead letters again: those at the sequences, or all
// when there are none given. What can be decoded now is applied.
func (w *Writer) RetryDeadLetters(ctx context.Context, seqs []uint64) (done message.Retried, err error) {
	busy := w.do(ctx, func(ctx context.Context) error {
		if done, err = RetryDeadLetters(context.WithoutCancel(ctx), w.store, seqs); err != nil {
			return onStore("retry dead letters", err)
		}
		w.metrics.observeRetried(&done)
		w.log.Info("dead letters retried", "inserted", done.Inserted, "duplicates", done.Duplicates,
			"conflicts", len(done.Conflicts), "remaining", len(done.Remaining))
		err = w.sync(ctx)
		return err
	})
	return done, errors.Join(busy, err)
}

// RetryDeadLetters is the same on a store that no Writer has.
func RetryDeadLetters(ctx context.Context, s Store, seqs []uint64) (message.Retried, error) {
	return s.RetryDeadLetters(ctx, seqs, func(d message.DeadLetter) message.Batch {
		return Decode("", []message.Entry{{Seq: d.Seq, AcceptedAt: d.CreatedAt, Source: d.Source, Data: d.Data}})
	})
}

// DiscardDeadLetters removes dead letters: those at the sequences, or all when
// there are none given.
func (w *Writer) DiscardDeadLetters(ctx context.Context, seqs []uint64) (discarded int, unknown []uint64, err error) {
	busy := w.do(ctx, func(ctx context.Context) error {
		if discarded, unknown, err = w.store.DiscardDeadLetters(context.WithoutCancel(ctx), seqs); err != nil {
			return onStore("discard dead letters", err)
		}
		w.log.Info("dead letters discarded", "count", discarded)
		err = w.sync(ctx)
		return err
	})
	return discarded, unknown, errors.Join(busy, err)
}

// handedOver ends a session: the store is to be closed, so that another database
// can be put in its place.
type handedOver struct {
	closed chan error // told when it is
}

func (*handedOver) Error() string { return "the database was handed over" }

// HandOver syncs and closes the store and returns how far it is. The writer
// leaves it alone until TakeBack or for HandOverPause, or longer when somebody else has taken the
// store's lock by then, and follows again with what it finds.
func (w *Writer) HandOver(ctx context.Context) (applied uint64, err error) {
	end := &handedOver{closed: make(chan error, 1)}
	err = w.do(ctx, func(ctx context.Context) error {
		if err := w.sync(ctx); err != nil {
			end.closed <- err
			return err
		}
		applied = w.applied
		select {
		case <-w.takeBack: // of a hand-over that is over
		default:
		}
		return end
	})
	if err != nil {
		return 0, err
	}
	return applied, <-end.closed
}

// pause closes the store after a session that ended with HandOver.
func (w *Writer) pause(ctx context.Context, end *handedOver) {
	err := w.closeStore()
	w.storeState.set(end)
	w.log.Info("the database was handed over", "applied", w.applied, "pause", w.cfg.HandOverPause)
	end.closed <- err
	select {
	case <-time.After(w.cfg.HandOverPause):
	case <-w.takeBack:
	case <-ctx.Done():
	}
}

// TakeBack ends the pause after HandOver, if there is one.
func (w *Writer) TakeBack() {
	select {
	case w.takeBack <- struct{}{}:
	default:
	}
}
