package rebuild

import (
	"context"
	"math"

	"sluice/pkg/message"
)

// Old is the database in service, as it is read.
type Old interface {
	Reader

	// Streams returns the identities of the streams it has followed, each once,
	// the current one last.
	Streams(ctx context.Context) ([]string, error)
}

// carryChunk is how many rows of the old database one batch takes.
const carryChunk = 5000

// carryOver gives the generation, which ends at cp, what the stream does not hold
// any more: the rows of earlier streams and those of trimmed entries. They keep
// their places and times.
func (r *run) carryOver(ctx context.Context, cp message.Checkpoint) error {
	streams, err := r.Old.Streams(ctx)
	if err != nil {
		return err
	}
	followed := false
	for _, id := range streams {
		if id == r.state.ID || cp.StreamID != "" { // a snapshot has the earlier streams
			continue
		}
		followed = true
		if _, err := r.New.Rewind(ctx, message.Checkpoint{StreamID: id}); err != nil {
			return err
		}
		if err := r.carry(ctx, id, 1, math.MaxInt64); err != nil {
			return err
		}
	}
	if followed {
		if _, err := r.New.Rewind(ctx, message.Checkpoint{StreamID: r.state.ID}); err != nil {
			return err
		}
	}
	if cp.Seq+1 >= r.state.First {
		return nil
	}
	return r.carry(ctx, r.state.ID, cp.Seq+1, r.state.First-1)
}

// carrier is one range of sequences on its way from the old database to the new.
type carrier struct {
	*run
	streamID string
	letters  []message.DeadLetter
	batch    message.Batch
	from     uint64 // everything before is carried
}

// carry takes what the stream of that identity gave from first to last out of
// the database in service. It needs 16 bytes of memory for each row.
func (r *run) carry(ctx context.Context, streamID string, first, last uint64) error {
	r.Phase("carry", "rows")
	c := &carrier{run: r, streamID: streamID, from: first}
	var err error
	if c.letters, err = r.Old.HistoryLetters(ctx, streamID, first, last); err != nil {
		return err
	}
	err = r.Old.History(ctx, streamID, first, last, func(rec message.Record) error {
		c.batch.Records = append(c.batch.Records, rec)
		if len(c.batch.Records) >= carryChunk {
			return c.flush(ctx, rec.Seq, rec.MsgID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.flush(ctx, last, "")
}

// flush applies what was gathered, with the statuses and dead letters up to seq.
func (c *carrier) flush(ctx context.Context, seq uint64, msgID string) (err error) {
	if c.batch.Statuses, err = c.Old.HistoryStatuses(ctx, c.streamID, c.from, seq); err != nil {
		return err
	}
	for len(c.letters) > 0 && c.letters[0].Seq <= seq {
		c.batch.DeadLetters, c.letters = append(c.batch.DeadLetters, c.letters[0]), c.letters[1:]
	}
	c.batch.Checkpoint = message.Checkpoint{StreamID: c.streamID, Seq: seq, MsgID: msgID}
	if _, err := c.New.Apply(ctx, c.batch); err != nil {
		return err
	}
	c.result.Carried += int64(len(c.batch.Records))
	c.Progress(c.result.Carried, 0)
	c.batch, c.from = message.Batch{}, seq+1
	return nil
}

// rowsInHoles counts the rows that the database in service has of entries which
// the stream has lost, and the generation has not by another entry.
func (r *run) rowsInHoles(ctx context.Context) (rows int64, err error) {
	for _, h := range r.holes {
		err := r.Old.History(ctx, r.state.ID, h.First, h.Last, func(rec message.Record) error {
			has, err := r.New.Has(ctx, rec.ID)
			if !has {
				rows++
			}
			return err
		})
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}
