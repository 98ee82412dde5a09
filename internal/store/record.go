package store

import (
	"database/sql/driver"
	"math"
	"time"

	"sluice/pkg/message"
)

// timeLayout of created_at and applied_at: RFC 3339 in UTC, always nine fraction
// digits, so that the texts sort as the times do.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

func parseTime(s string) time.Time {
	t, _ := time.Parse(timeLayout, s)
	return t
}

// recordColumns of a row r of messages are what recordOf reads.
const recordColumns = `r.message_id, r.from_msisdn, r.to_msisdn, r.ts, r.text,
	r.seq, r.created_at, r.source, r.ts_us, r.ts_ns`

// recordOf reads recordColumns.
func recordOf(row []driver.Value) message.Record {
	r := message.Record{
		Message: message.Message{
			ID: str(row[0]), From: str(row[1]), To: str(row[2]), TS: str(row[3]),
		},
		Seq:       uint64(integer(row[5])),
		CreatedAt: parseTime(str(row[6])),
		Source:    str(row[7]),
	}
	if text, ok := row[4].(string); ok {
		r.Text = &text
	}
	r.MsgID = message.MsgID(r.Source, r.ID)
	return r
}

// keyOf returns the place of a row of recordColumns.
func keyOf(row []driver.Value) key {
	return makeKey(instant{integer(row[8]), integer(row[9])}, str(row[0]))
}

// optional is a text that may be NULL.
func optional(s *string) driver.Value {
	if s == nil {
		return nil
	}
	return *s
}

// signed is a sequence for SQLite, whose integers end sooner.
func signed(seq uint64) int64 {
	return int64(min(seq, math.MaxInt64))
}
