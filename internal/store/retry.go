package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"sluice/pkg/message"
)

// retryChunk is how many dead letters one transaction deals with.
const retryChunk = 1000

// letter is a dead letter with its stream.
type letter struct {
	message.DeadLetter
	stream int64
}

// RetryDeadLetters has decode read dead letters again: those at the sequences,
// or all when there are none given. What it can read now is applied at the
// letter's own place in the stream, as if it had been read at once, and is a
// dead letter no more; so the database is again what a rebuild would give. Only
// a later message that has taken the id with another content stays. What still
// cannot be read gets the new reason.
func (s *Store) RetryDeadLetters(ctx context.Context, seqs []uint64,
	decode func(message.DeadLetter) message.Batch) (done message.Retried, err error) {
	letters, unknown, err := s.letters(ctx, seqs)
	if err != nil {
		return done, fmt.Errorf("retry dead letters: %w", err)
	}
	done.Unknown = unknown
	for chunk := range slices.Chunk(letters, retryChunk) {
		err := s.change(ctx, func() error { return s.retry(ctx, chunk, decode, &done) })
		if err != nil {
			return done, fmt.Errorf("retry dead letters: %w", err)
		}
	}
	s.indexer.notice()
	return done, nil
}

// letters returns the dead letters at the sequences, or all when there are none given.
func (s *Store) letters(ctx context.Context, seqs []uint64) (letters []letter, unknown []uint64, err error) {
	const columns = "SELECT stream, " + deadLetterColumns + " FROM dead_letters"
	take := func(row []driver.Value) error {
		letters = append(letters, letter{deadLetterOf(row[1:]), integer(row[0])})
		return nil
	}
	err = s.use(ctx, func() error {
		if len(seqs) == 0 {
			return s.conn.query(columns+" ORDER BY stream, seq", take)
		}
		for _, seq := range slices.Compact(slices.Sorted(slices.Values(seqs))) {
			before := len(letters)
			if err := s.conn.query(columns+" WHERE seq = ? ORDER BY stream", take, signed(seq)); err != nil {
				return err
			}
			if len(letters) == before {
				unknown = append(unknown, seq)
			}
		}
		slices.SortStableFunc(letters, func(a, b letter) int { return int(a.stream - b.stream) })
		return nil
	})
	return letters, unknown, err
}

// retry deals with some dead letters, ordered by stream, inside a transaction.
func (s *Store) retry(ctx context.Context, letters []letter, decode func(message.DeadLetter) message.Batch,
	done *message.Retried) error {
	a := application{Store: s, ctx: ctx, fresh: make(map[string]*message.Record), senders: make(senderCounts)}
	var remaining []message.DeadLetter
	current := s.state.stream
	for len(letters) > 0 {
		stream := letters[0].stream
		n := slices.IndexFunc(letters, func(l letter) bool { return l.stream != stream })
		if n < 0 {
			n = len(letters)
		}
		var late message.Batch
		for _, l := range letters[:n] {
			b := decode(l.DeadLetter)
			if len(b.DeadLetters) > 0 {
				l.Reason = b.DeadLetters[0].Reason
				remaining = append(remaining, l.DeadLetter)
				err := s.conn.exec("UPDATE dead_letters SET reason = ? WHERE stream = ? AND seq = ?", l.Reason, stream, signed(l.Seq))
				if err != nil {
					return err
				}
				continue
			}
			late.Records, late.Statuses = append(late.Records, b.Records...), append(late.Statuses, b.Statuses...)
			s.state.outcomes.DeadLetters--
			if err := s.conn.exec("DELETE FROM dead_letters WHERE stream = ? AND seq = ?", stream, signed(l.Seq)); err != nil {
				return err
			}
		}
		if err := a.applyLate(stream, &late); err != nil {
			return err
		}
		letters = letters[n:]
	}
	s.state.stream = current
	if err := a.settle(); err != nil {
		return err
	}
	done.Inserted += a.applied.Inserted
	done.Duplicates += a.applied.Duplicates
	done.Statuses += a.applied.Statuses
	done.Conflicts = append(done.Conflicts, a.applied.Conflicts...)
	done.Remaining = append(done.Remaining, remaining...)
	if a.applied.Inserted == 0 && a.applied.Duplicates == 0 {
		return nil
	}
	// The rows of the current stream are in order of sequence. Those that came
	// late are not, so the stream begins a new life behind them.
	return s.state.begin(s.conn, s.state.identity)
}

// applyLate applies entries of a stream whose later entries have been applied.
func (a *application) applyLate(stream int64, late *message.Batch) (err error) {
	a.late, err = a.conn.lives(stream)
	if err != nil {
		return err
	}
	a.state.stream = stream
	if err := a.records(late.Records); err != nil {
		return err
	}
	return a.statuses(late.Statuses)
}

// lives returns the streams.id of every stream with the identity of one.
func (c *conn) lives(stream int64) ([]int64, error) {
	row, err := c.one("SELECT identity FROM streams WHERE id = ?", stream)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("%w: dead letters of a stream that is not there", ErrDamaged)
	}
	return c.streamsOf(str(row[0]))
}

// DiscardDeadLetters removes dead letters: those at the sequences, or all when
// there are none given. A rebuild brings back those that the stream still has.
func (s *Store) DiscardDeadLetters(ctx context.Context, seqs []uint64) (discarded int, unknown []uint64, err error) {
	letters, unknown, err := s.letters(ctx, seqs)
	if err != nil {
		return 0, nil, fmt.Errorf("discard dead letters: %w", err)
	}
	err = s.change(ctx, func() error {
		for _, l := range letters {
			if err := s.conn.exec("DELETE FROM dead_letters WHERE stream = ? AND seq = ?", l.stream, signed(l.Seq)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("discard dead letters: %w", err)
	}
	return len(letters), unknown, nil
}
