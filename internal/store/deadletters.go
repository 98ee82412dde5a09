package store

import (
	"context"
	"database/sql/driver"

	"sluice/pkg/message"
)

// deadLetters keeps entries aside that can never be applied.
func (a *application) deadLetters(letters []message.DeadLetter) error {
	for _, d := range letters {
		err := a.conn.exec(`INSERT INTO dead_letters (stream, seq, created_at, source, reason, data)
			VALUES (?, ?, ?, ?, ?, ?)`,
			a.state.stream, signed(d.Seq), formatTime(d.CreatedAt), d.Source, d.Reason, append([]byte{}, d.Data...))
		if err != nil {
			return err
		}
	}
	a.applied.DeadLetters += len(letters)
	return nil
}

const deadLetterColumns = "seq, created_at, source, reason, data"

func deadLetterOf(row []driver.Value) message.DeadLetter {
	return message.DeadLetter{
		Seq:       uint64(integer(row[0])),
		CreatedAt: parseTime(str(row[1])),
		Source:    str(row[2]),
		Reason:    str(row[3]),
		Data:      blob(row[4]),
	}
}

// DeadLetters calls f for every dead letter, oldest first, until f fails.
// Sequences may repeat: dead letters of a stream that is gone are kept.
func (r *Reader) DeadLetters(ctx context.Context, f func(message.DeadLetter) error) error {
	return r.read(ctx, func(s *snapshot) error {
		return s.conn.query("SELECT "+deadLetterColumns+" FROM dead_letters ORDER BY stream, seq",
			func(row []driver.Value) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return f(deadLetterOf(row))
			})
	})
}

// DeadLetter returns the dead letter at a sequence, of the newest stream that has
// one there, or message.ErrNotFound.
func (r *Reader) DeadLetter(ctx context.Context, seq uint64) (d message.DeadLetter, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		row, err := s.conn.one("SELECT "+deadLetterColumns+
			" FROM dead_letters WHERE seq = ? ORDER BY stream DESC LIMIT 1", signed(seq))
		if err != nil {
			return err
		}
		if row == nil {
			return message.ErrNotFound
		}
		d = deadLetterOf(row)
		return nil
	})
	return d, err
}
