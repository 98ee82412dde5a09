package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/pkg/message"
)

// prove finds out whether the store's checkpoint still names the same entry of
// the same stream, and rewinds the store to where it does. It returns the
// sequence to begin behind.
func (w *Writer) prove(ctx context.Context, state message.StreamState) (after uint64, err error) {
	status, err := w.store.Status(ctx)
	if err != nil {
		return 0, onStore("read checkpoint", err)
	}
	cp := status.Checkpoint
	seen := cp.Seq // entries of this stream up to here were applied once
	switch {
	case cp.StreamID == "":
		w.log.Info("the database is empty, applying the stream from its first entry", "stream", state.ID, "first", state.First)
	case cp.StreamID != state.ID:
		seen = 0
		err = w.changeStream(ctx, cp, state)
	default:
		err = w.proveEntry(ctx, &status, state)
	}
	if err != nil {
		return 0, err
	}
	if status, err = w.store.Status(ctx); err != nil {
		return 0, onStore("read checkpoint", err)
	}
	w.metrics.observeStore(&status)
	w.applied = status.Checkpoint.Seq
	if state.First > seen+1 {
		w.missing(seen+1, state.First-1)
	}
	return max(w.applied, state.First-1), nil
}

// changeStream takes the store to a stream made anew. Its rows stay: the first
// write of an id wins, and those that the new stream brings again take their
// place in it.
func (w *Writer) changeStream(ctx context.Context, cp message.Checkpoint, state message.StreamState) error {
	w.log.Warn("this is another stream than the database has followed, applying it from its first entry",
		"was", cp.StreamID, "applied", cp.Seq, "stream", state.ID, "first", state.First, "last", state.Last)
	if _, err := w.store.Rewind(ctx, message.Checkpoint{StreamID: state.ID, Seq: state.First - 1}); err != nil {
		return onStore("change stream", err)
	}
	return nil
}

// proveEntry compares the entry at the checkpoint with the one applied, and goes
// back to the last one in common if they differ.
func (w *Writer) proveEntry(ctx context.Context, status *message.StoreStatus, state message.StreamState) error {
	cp := status.Checkpoint
	if cp.Seq <= state.Last {
		same, err := w.holds(ctx, cp, status.AppliedAt)
		if err != nil || same {
			return err
		}
	}
	common, err := w.lastCommon(ctx, state, min(cp.Seq, state.Last))
	if err != nil {
		return err
	}
	w.log.Warn("the stream has lost entries that the database holds",
		"applied", cp.Seq, "first", state.First, "last", state.Last, "last_common", common.Seq)
	given, err := w.giveBack(ctx, common.Seq)
	if err != nil {
		return err
	}
	removed, err := w.store.Rewind(ctx, common)
	if err != nil {
		return onStore(fmt.Sprintf("rewind to %d", common.Seq), err)
	}
	w.metrics.rewinds.Inc()
	w.log.Warn("went back to the last entry in common", "seq", common.Seq, "given_back", given, "removed", removed)
	return nil
}

// holds reports whether the stream's entry at cp is the one that was applied:
// the id alone does not tell, since a sender that tries again may get the number
// that its first try had. What was trimmed contradicts nothing; what is missing
// behind that the stream has lost: after some damage the server keeps counting
// from where it was.
func (w *Writer) holds(ctx context.Context, cp message.Checkpoint, at time.Time) (bool, error) {
	e, err := w.source.Entry(ctx, cp.Seq)
	switch {
	case errors.Is(err, message.ErrTrimmed):
		return true, nil
	case errors.Is(err, message.ErrNoEntry):
		return false, nil
	case err != nil:
		return false, onStream(fmt.Sprintf("read entry %d", cp.Seq), err)
	}
	return e.MsgID == cp.MsgID && (at.IsZero() || e.AcceptedAt.Equal(at)), nil
}

// lastCommon searches the last record at or before seq that the stream holds as
// well. What the stream has lost is its tail, so the records in common are those
// up to one of them.
func (w *Writer) lastCommon(ctx context.Context, state message.StreamState, seq uint64) (message.Checkpoint, error) {
	common := message.Checkpoint{StreamID: state.ID}
	for lo, hi := uint64(0), seq; lo < hi; {
		mid := lo + (hi-lo+1)/2
		cp, at, err := w.recordAt(ctx, mid)
		if err != nil {
			return common, err
		}
		if cp.Seq <= lo { // no record in between
			lo = mid
			continue
		}
		same, err := w.holds(ctx, cp, at)
		switch {
		case err != nil:
			return common, err
		case same:
			common, lo = cp, mid
		default:
			hi = cp.Seq - 1
		}
	}
	return common, nil
}

// errFirst ends After at the first record.
var errFirst = errors.New("enough")

// recordAt returns the place and time of the last record at or before seq, Seq 0
// when there is none. Dead letters are passed over: nothing tells them apart.
func (w *Writer) recordAt(ctx context.Context, seq uint64) (cp message.Checkpoint, at time.Time, err error) {
	for ; ; seq = cp.Seq - 1 {
		if cp, err = w.store.LastAt(ctx, seq); err != nil {
			return cp, at, onStore(fmt.Sprintf("look up record %d", seq), err)
		}
		if cp.Seq == 0 {
			return cp, at, nil
		}
		found := false
		err = w.store.After(ctx, cp.Seq-1, func(r message.Record) error {
			found, at = r.Seq == cp.Seq, r.CreatedAt
			return errFirst
		})
		if err != nil && !errors.Is(err, errFirst) {
			return cp, at, onStore(fmt.Sprintf("read record %d", cp.Seq), err)
		}
		if found {
			return cp, at, nil
		}
	}
}

// giveBack publishes the records behind seq, in order, and then the statuses: the
// stream is the truth, and what the database holds was accepted once. A status
// needs no place among the messages.
func (w *Writer) giveBack(ctx context.Context, seq uint64) (given int, err error) {
	publish := func(at uint64, e message.Entry) error {
		if err := w.source.Publish(ctx, e); err != nil {
			return onStream(fmt.Sprintf("give back record %d", at), err)
		}
		given++
		return nil
	}
	err = w.store.After(ctx, seq, func(r message.Record) error {
		data, err := message.Marshal(&r.Message)
		if err != nil {
			return err
		}
		return publish(r.Seq, message.Entry{MsgID: message.MsgID(r.Source, r.ID), Source: r.Source, Data: data})
	})
	if err == nil {
		err = w.store.StatusesAfter(ctx, seq, func(s message.StatusRecord) error {
			data, err := message.MarshalStatus(&s.Status)
			if err != nil {
				return err
			}
			return publish(s.Seq, message.Entry{MsgID: s.MsgID(s.Source), Source: s.Source, Data: data})
		})
	}
	var step *stepError
	if err != nil && !errors.As(err, &step) {
		err = onStore("read records", err)
	}
	return given, err
}
