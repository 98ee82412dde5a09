package store

import (
	"context"
	"database/sql/driver"
	"fmt"

	"sluice/pkg/message"
)

// Rewind moves the checkpoint to to, in one transaction. In the same stream the
// records, statuses and dead letters behind to.Seq are removed, and counted; in another
// stream all rows stay, as records of a stream that is gone.
func (s *Store) Rewind(ctx context.Context, to message.Checkpoint) (removed int, err error) {
	err = s.change(ctx, func() error {
		if s.state.stream == 0 || s.state.identity != to.StreamID {
			s.state.checkpoint, s.state.appliedAt = to, ""
			return s.state.begin(s.conn, to.StreamID)
		}
		if removed, err = s.removeBehind(ctx, to.Seq); err != nil {
			return err
		}
		_, createdAt, err := s.lastAt(to.Seq)
		s.state.checkpoint, s.state.appliedAt = to, createdAt
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("rewind to %d: %w", to.Seq, err)
	}
	return removed, nil
}

// removeBehind removes the records, statuses and dead letters of the current stream behind
// seq and makes the store as if they had never come, its outcomes aside.
func (s *Store) removeBehind(ctx context.Context, seq uint64) (removed int, err error) {
	first, err := s.state.firstBehind(s.conn, seq)
	if err != nil {
		return 0, err
	}
	s.state.rewinds++
	if err := s.forgetBlocksBehind(first, seq); err != nil {
		return 0, err
	}
	for {
		// By chunks, so that memory stays bounded: a rewind can be long.
		n, err := s.removeRows(first, seq)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		removed += n
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	row, err := s.conn.one("SELECT count(*) FROM dead_letters WHERE stream = ? AND seq > ?", s.state.stream, signed(seq))
	if err != nil {
		return 0, err
	}
	err = s.conn.exec("DELETE FROM dead_letters WHERE stream = ? AND seq > ?", s.state.stream, signed(seq))
	if err != nil {
		return 0, err
	}
	statuses, err := s.rewindStatuses(seq)
	if err != nil {
		return 0, err
	}
	s.state.nextRID = first
	s.recent.restart(first)
	if err := s.segments.rewind(s.conn, first); err != nil {
		return 0, err
	}
	return removed + statuses + int(integer(row[0])), s.top.recount(s.conn)
}

const removeChunk = 5000

// removeRows removes some of the rows from first on and of those restamped
// behind seq.
func (s *Store) removeRows(first int64, seq uint64) (removed int, err error) {
	type place struct {
		rid int64
		seq uint64
	}
	var places []place
	gone := make(senderCounts)
	err = s.conn.query(`SELECT r.rid, `+recordColumns+` FROM (
			SELECT rid FROM messages WHERE rid >= ?1
			UNION ALL
			SELECT rid FROM restamps WHERE seq > ?2
		) k JOIN messages r USING (rid) LIMIT ?3`,
		func(row []driver.Value) error {
			r := recordOf(row[1:])
			for _, run := range runsOf(&r.Message) {
				s.ranks.remove(run, keyOf(row[1:]))
			}
			gone[r.From]--
			places = append(places, place{integer(row[0]), r.Seq})
			return nil
		}, first, signed(seq), int64(removeChunk))
	if err != nil || len(places) == 0 {
		return 0, err
	}
	for _, p := range places {
		if err := s.removeRow(p.rid, p.seq); err != nil {
			return 0, err
		}
	}
	if err := gone.store(s.conn, s.lostRows); err != nil {
		return 0, err
	}
	s.state.messages -= int64(len(places))
	return len(places), s.ranks.settle(s.conn)
}

func (s *Store) removeRow(rid int64, seq uint64) error {
	for _, sql := range []string{"DELETE FROM raws WHERE rid = ?", "DELETE FROM messages WHERE rid = ?"} {
		if err := s.conn.exec(sql, rid); err != nil {
			return err
		}
	}
	if err := s.conn.exec("DELETE FROM restamps WHERE seq = ?", signed(seq)); err != nil {
		return err
	}
	return s.conn.exec("UPDATE segments SET rows = rows - 1 WHERE seg = ?", s.segments.of(rid))
}

// lostRows takes a sender out of the counters that has no rows left.
func (s *Store) lostRows(sender string, _, after int64) error {
	if after > 0 {
		return nil
	}
	s.state.senders--
	return s.conn.exec("DELETE FROM senders WHERE msisdn = ?", sender)
}

// forgetBlocksBehind takes the rows that removeRows will remove out of the
// search index.
func (s *Store) forgetBlocksBehind(first int64, seq uint64) error {
	row, err := s.conn.one("SELECT min(rid) FROM restamps WHERE seq > ?", signed(seq))
	if err != nil {
		return err
	}
	if row[0] != nil {
		first = min(first, integer(row[0]))
	}
	return s.forgetBlocks(first)
}
