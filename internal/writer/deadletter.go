package writer

import (
	"context"
	"errors"

	"sluice/pkg/message"
)

func deadLetter(e *message.Entry, reason error) message.DeadLetter {
	return message.DeadLetter{
		Seq:       e.Seq,
		CreatedAt: e.AcceptedAt,
		Source:    e.Source,
		Reason:    reason.Error(),
		Data:      e.Data,
	}
}

// Apply applies a batch that was decoded of these entries to a store that no
// Writer has. As a Writer does, it makes a dead letter of an entry that the store
// refuses.
func Apply(ctx context.Context, s interface {
	Apply(ctx context.Context, b message.Batch) (message.Applied, error)
}, decoded message.Batch, entries []message.Entry) error {
	apply := func(b batch) error {
		_, err := s.Apply(ctx, b.Batch)
		return err
	}
	b := batch{Batch: decoded, entries: entries}
	err := apply(b)
	if errors.Is(err, message.ErrRefused) {
		return applyAround(b, err, apply)
	}
	return err
}

// applyAround applies a batch that the store refuses, in order, in ever smaller
// parts, until the entry at fault stands alone; that one becomes a dead letter.
func applyAround(b batch, refusal error, apply func(batch) error) error {
	if len(b.entries) == 1 {
		e := &b.entries[0]
		b.Records, b.Statuses, b.DeadLetters = nil, nil, []message.DeadLetter{deadLetter(e, refusal)}
		return apply(b)
	}
	half := len(b.entries) / 2
	for _, entries := range [][]message.Entry{b.entries[:half], b.entries[half:]} {
		part := decode(b.Checkpoint.StreamID, entries)
		err := apply(part)
		if errors.Is(err, message.ErrRefused) {
			err = applyAround(part, err, apply)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
