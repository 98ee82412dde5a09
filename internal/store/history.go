package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"

	"sluice/pkg/message"
)

// historyChunk is how many rows History reads in one transaction.
const historyChunk = 2000

// History calls f for every row that the stream of that identity gave, with a
// sequence from first to last, in order of sequence, until f fails. It needs 16
// bytes of memory for each row, and no transaction of it is long. A row that
// changes its place meanwhile is left out.
func (r *Reader) History(ctx context.Context, streamID string, first, last uint64, f func(message.Record) error) error {
	type place struct{ seq, rid int64 }
	var places []place
	err := r.read(ctx, func(s *snapshot) error {
		// The stream is compared here, not joined: a row costs half.
		streams, err := s.streamsOf(streamID)
		if err != nil {
			return err
		}
		return s.conn.query("SELECT seq, rid, stream FROM messages WHERE seq >= ? AND seq <= ?",
			func(row []driver.Value) error {
				if slices.Contains(streams, integer(row[2])) {
					places = append(places, place{integer(row[0]), integer(row[1])})
				}
				if len(places)%historyChunk == 0 {
					return ctx.Err()
				}
				return nil
			}, signed(first), signed(last))
	})
	if err != nil {
		return err
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.rid, b.rid)) })

	for chunk := range slices.Chunk(places, historyChunk) {
		var records []message.Record
		err := r.read(ctx, func(s *snapshot) error {
			for _, p := range chunk {
				row, err := s.conn.one("SELECT "+recordColumns+", (SELECT raw FROM raws WHERE raws.rid = r.rid) FROM messages r WHERE rid = ? AND seq = ?",
					p.rid, p.seq)
				if err != nil {
					return err
				}
				if row != nil {
					record := recordOf(row)
					record.Raw = rawOf(row[len(row)-1])
					records = append(records, record)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := f(record); err != nil {
				return err
			}
		}
	}
	return nil
}

// HistoryLetters returns the dead letters that the stream of that identity gave,
// with a sequence from first to last, in order of sequence.
func (r *Reader) HistoryLetters(ctx context.Context, streamID string, first, last uint64) (letters []message.DeadLetter, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		return s.conn.query("SELECT "+deadLetterColumns+` FROM dead_letters
			WHERE stream IN (SELECT id FROM streams WHERE identity = ?) AND seq >= ? AND seq <= ? ORDER BY seq`,
			func(row []driver.Value) error {
				letters = append(letters, deadLetterOf(row))
				return ctx.Err()
			}, streamID, signed(first), signed(last))
	})
	return letters, err
}

// HistoryStatuses returns the statuses likewise.
func (r *Reader) HistoryStatuses(ctx context.Context, streamID string, first, last uint64) (all []message.StatusRecord, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		return s.conn.query("SELECT "+statusColumns+` FROM statuses
			WHERE stream IN (SELECT id FROM streams WHERE identity = ?) AND seq >= ? AND seq <= ? ORDER BY seq`,
			func(row []driver.Value) error {
				all = append(all, statusRecordOf(row))
				return ctx.Err()
			}, streamID, signed(first), signed(last))
	})
	return all, err
}

// Streams returns the identities of the streams that the database has followed,
// each once, the current one last.
func (r *Reader) Streams(ctx context.Context) (identities []string, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		return s.conn.query("SELECT identity FROM streams GROUP BY identity ORDER BY max(id)", func(row []driver.Value) error {
			identities = append(identities, str(row[0]))
			return nil
		})
	})
	return identities, err
}

// streamsOf returns the streams.id of every stream of that identity.
func (c *conn) streamsOf(identity string) (ids []int64, err error) {
	err = c.query("SELECT id FROM streams WHERE identity = ?", func(row []driver.Value) error {
		ids = append(ids, integer(row[0]))
		return nil
	}, identity)
	return ids, err
}
