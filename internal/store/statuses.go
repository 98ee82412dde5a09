package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"

	"sluice/pkg/message"
)

// statuses stores what senders told of messages. The first of equal ones stays;
// one of a stream that is gone takes its place in the current stream.
func (a *application) statuses(records []message.StatusRecord) error {
	late := int64(0) // as in takesPlace
	if a.late != nil {
		late = 1
	}
	for i := range records {
		s := &records[i]
		stored, err := a.conn.one(`INSERT INTO statuses (`+statusColumns+`, stream) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET raw = excluded.raw, created_at = excluded.created_at, seq = excluded.seq, stream = excluded.stream
			WHERE iif(?, excluded.seq < seq, stream < ?) RETURNING 1`,
			s.Source, s.MessageID, s.TS, s.Status.Status, s.Recipient, string(s.Raw), formatTime(s.CreatedAt), signed(s.Seq), a.state.stream,
			late, a.state.life)
		if err != nil {
			return err
		}
		if stored != nil {
			a.applied.Statuses++
		}
	}
	return nil
}

const statusColumns = "source, message_id, ts, status, recipient, raw, created_at, seq"

func statusRecordOf(row []driver.Value) message.StatusRecord {
	return message.StatusRecord{
		Status: message.Status{
			MessageID: str(row[1]), TS: str(row[2]), Status: str(row[3]), Recipient: str(row[4]), Raw: rawOf(row[5]),
		},
		Source:    str(row[0]),
		CreatedAt: parseTime(str(row[6])),
		Seq:       uint64(integer(row[7])),
	}
}

// rawOf reads a column of JSON, nil for none.
func rawOf(v driver.Value) json.RawMessage {
	if text, ok := v.(string); ok && text != "" {
		return json.RawMessage(text)
	}
	return nil
}

// rewindStatuses removes the statuses of the current stream behind seq.
func (s *Store) rewindStatuses(seq uint64) (removed int, err error) {
	row, err := s.conn.one("SELECT count(*) FROM statuses WHERE stream = ? AND seq > ?", s.state.stream, signed(seq))
	if err != nil {
		return 0, err
	}
	return int(integer(row[0])), s.conn.exec("DELETE FROM statuses WHERE stream = ? AND seq > ?", s.state.stream, signed(seq))
}

// StatusesAfter calls f for every status of the current stream behind seq, in
// ascending order of sequence, until f fails. f may use the store.
func (s *Store) StatusesAfter(ctx context.Context, seq uint64, f func(message.StatusRecord) error) error {
	for {
		var chunk []message.StatusRecord
		err := s.use(ctx, func() error {
			return s.conn.query("SELECT "+statusColumns+` FROM statuses INDEXED BY statuses_seq
				WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?`,
				func(row []driver.Value) error {
					chunk = append(chunk, statusRecordOf(row))
					return nil
				}, s.state.stream, signed(seq), int64(afterChunk))
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

// statusesOf returns what a source told of a message: by the sender's time, then
// as it came.
func (s *snapshot) statusesOf(source, id string) (all []message.StatusRecord, err error) {
	err = s.query("SELECT "+statusColumns+` FROM statuses WHERE source = ? AND message_id = ? ORDER BY ts, seq`,
		func(row []driver.Value) error {
			all = append(all, statusRecordOf(row))
			return nil
		}, source, id)
	return all, err
}
