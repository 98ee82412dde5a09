package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"sluice/pkg/message"
)

// state is the row of that name: what every batch moves.
type state struct {
	stream     int64  // streams.id of the current stream, 0 before the first
	identity   string // streams.identity of it
	firstRID   int64  // streams.first_rid of it
	life       int64  // streams.id from which on every one has that identity: a retry of dead letters makes several
	checkpoint message.Checkpoint
	appliedAt  string
	nextRID    int64
	messages   int64
	senders    int64
	outcomes   message.Outcomes
	rewinds    int64 // how often rows were removed
}

const stateSQL = `SELECT stream, coalesce(identity, ''), coalesce(first_rid, 1), seq, msg_id, applied_at, next_rid,
	messages, senders, inserted, duplicates, conflicts, dead_letters, rewinds,
	(SELECT coalesce(max(before.id), 0) + 1 FROM streams before WHERE before.identity <> streams.identity)
	FROM state LEFT JOIN streams ON streams.id = state.stream`

func loadState(c *conn) (state, error) { return loadStateOf(c, len(migrations)) }

// loadStateOf is loadState for a database that may be older.
func loadStateOf(c *conn, schema int) (state, error) {
	sql := stateSQL
	if schema < 2 {
		sql = strings.Replace(sql, " rewinds,", " 0,", 1)
	}
	row, err := c.one(sql)
	if err != nil {
		return state{}, err
	}
	if row == nil {
		return state{}, fmt.Errorf("%w: no row in state", ErrDamaged)
	}
	s := state{
		stream:    integer(row[0]),
		identity:  str(row[1]),
		firstRID:  integer(row[2]),
		appliedAt: str(row[5]),
		nextRID:   integer(row[6]),
		messages:  integer(row[7]),
		senders:   integer(row[8]),
		outcomes: message.Outcomes{
			Inserted: integer(row[9]), Duplicates: integer(row[10]),
			Conflicts: integer(row[11]), DeadLetters: integer(row[12]),
		},
		rewinds: integer(row[13]),
		life:    integer(row[14]),
	}
	s.checkpoint = message.Checkpoint{StreamID: s.identity, Seq: uint64(integer(row[3])), MsgID: str(row[4])}
	return s, nil
}

func (s *state) store(c *conn) error {
	return c.exec(`UPDATE state SET stream = ?, seq = ?, msg_id = ?, applied_at = ?, next_rid = ?, messages = ?,
		senders = ?, inserted = ?, duplicates = ?, conflicts = ?, dead_letters = ?, rewinds = ?`,
		s.stream, int64(s.checkpoint.Seq), s.checkpoint.MsgID, s.appliedAt, s.nextRID, s.messages,
		s.senders, s.outcomes.Inserted, s.outcomes.Duplicates, s.outcomes.Conflicts, s.outcomes.DeadLetters,
		s.rewinds)
}

// begin makes identity the current stream. The rows so far become rows of a
// stream that is gone, and so does a former stream of the same identity: what it
// sends again is told apart from what it sent then.
func (s *state) begin(c *conn, identity string) error {
	err := c.exec("INSERT INTO streams (identity, first_rid) VALUES (?, ?)", identity, s.nextRID)
	if err != nil {
		return err
	}
	id, err := c.one("SELECT max(id) FROM streams")
	if err != nil {
		return err
	}
	if s.stream == 0 || identity != s.identity {
		s.life = integer(id[0])
	}
	s.stream, s.identity, s.firstRID = integer(id[0]), identity, s.nextRID
	return c.exec("DELETE FROM restamps")
}

// Checkpoint returns how far the store is, the zero Checkpoint when nothing was
// ever applied.
func (s *Store) Checkpoint(ctx context.Context) (cp message.Checkpoint, err error) {
	err = s.use(ctx, func() error {
		cp = s.state.checkpoint
		return nil
	})
	return cp, err
}

// LastAt returns the sequence and Nats-Msg-Id of the last record or dead letter
// of the current stream at or before seq; Seq 0 when there is none. Of a dead
// letter the id is unknown and MsgID empty, unless it is at the checkpoint.
func (s *Store) LastAt(ctx context.Context, seq uint64) (cp message.Checkpoint, err error) {
	err = s.use(ctx, func() error {
		cp, _, err = s.lastAt(seq)
		return err
	})
	return cp, err
}

// lastAt is LastAt, with the created_at of the entry.
func (s *Store) lastAt(seq uint64) (cp message.Checkpoint, createdAt string, err error) {
	cp.StreamID = s.state.identity
	take := func(row []driver.Value, err error) error {
		if err == nil && row != nil && uint64(integer(row[0])) > cp.Seq {
			cp.Seq, createdAt, cp.MsgID = uint64(integer(row[0])), str(row[1]), ""
			if id := str(row[2]); id != "" {
				cp.MsgID = message.MsgID(str(row[3]), id)
			}
		}
		return err
	}

	first, err := s.state.firstBehind(s.conn, seq)
	if err != nil {
		return cp, "", err
	}
	if err := take(s.conn.one(`SELECT seq, created_at, message_id, source FROM messages
		WHERE rid < ? AND rid >= ? ORDER BY rid DESC LIMIT 1`, first, s.state.firstRID)); err != nil {
		return cp, "", err
	}
	if err := take(s.conn.one(`SELECT m.seq, m.created_at, m.message_id, m.source FROM restamps r JOIN messages m USING (rid)
		WHERE r.seq <= ? ORDER BY r.seq DESC LIMIT 1`, signed(seq))); err != nil {
		return cp, "", err
	}
	if err := take(s.conn.one(`SELECT seq, created_at, '', '' FROM dead_letters
		WHERE stream = ? AND seq <= ? ORDER BY seq DESC LIMIT 1`, s.state.stream, signed(seq))); err != nil {
		return cp, "", err
	}
	if cp.Seq == s.state.checkpoint.Seq {
		cp.MsgID = s.state.checkpoint.MsgID
	}
	return cp, createdAt, nil
}

// firstBehind returns the rid of the first row behind seq among those inserted
// in the current stream, next_rid when there is none. They have no gaps and
// their sequences ascend.
func (s *state) firstBehind(c *conn, seq uint64) (int64, error) {
	lo, hi := s.firstRID, s.nextRID
	for lo < hi {
		mid := lo + (hi-lo)/2
		row, err := c.one("SELECT seq FROM messages WHERE rid = ?", mid)
		if err != nil {
			return 0, err
		}
		if row == nil {
			return 0, fmt.Errorf("%w: row %d is missing", ErrDamaged, mid)
		}
		if uint64(integer(row[0])) > seq {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, nil
}

// afterChunk is how many records After reads at a time.
const afterChunk = 500

// After calls f for every record of the current stream behind seq, in ascending
// order of sequence, until f fails. f may use the store.
func (s *Store) After(ctx context.Context, seq uint64, f func(message.Record) error) error {
	for {
		var chunk []message.Record
		err := s.use(ctx, func() error {
			first, err := s.state.firstBehind(s.conn, seq)
			if err != nil {
				return err
			}
			return s.conn.query(`SELECT `+recordColumns+`, (SELECT raw FROM raws WHERE raws.rid = k.rid) FROM (
					SELECT rid, seq FROM messages WHERE rid >= ?1 AND rid < ?1 + ?3
					UNION ALL
					SELECT rid, seq FROM (SELECT rid, seq FROM restamps WHERE seq > ?2 ORDER BY seq LIMIT ?3)
				) k JOIN messages r USING (rid) ORDER BY k.seq LIMIT ?3`,
				func(row []driver.Value) error {
					r := recordOf(row)
					r.Raw = rawOf(row[len(row)-1])
					chunk = append(chunk, r)
					return nil
				}, first, signed(seq), int64(afterChunk))
		})
		if err != nil || len(chunk) == 0 {
			return err
		}
		for _, r := range chunk {
			if err := f(r); err != nil {
				return err
			}
		}
		seq = chunk[len(chunk)-1].Seq
	}
}
