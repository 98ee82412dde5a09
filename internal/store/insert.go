package store

import (
	"database/sql/driver"
	"strings"

	"sluice/pkg/message"
)

// insertChunk is how many rows one statement inserts.
const insertChunk = 16

const insertColumns = 11

// Only the first row of a batch brings its rid; SQLite gives the others the next
// ones. A statement of many rows that names rids, or that undoes its own rows when
// one fails instead of the whole transaction, would make SQLite copy every page
// before it changes it: a statement journal, an eighth of the time.
var (
	insertFirst = "INSERT OR ROLLBACK INTO messages (rid, " + insertNames + ") VALUES (?, " + insertValues[1:]
	insertOne   = insertStatement(1)
	insertMany  = insertStatement(insertChunk)
)

const (
	insertNames  = "message_id, from_msisdn, to_msisdn, ts, created_at, seq, source, stream, ts_us, ts_ns, text"
	insertValues = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

func insertStatement(rows int) string {
	return "INSERT OR ROLLBACK INTO messages (" + insertNames + ") VALUES " +
		insertValues + strings.Repeat(", "+insertValues, rows-1)
}

// inserter gathers the new rows of a batch into statements of many.
type inserter struct {
	begun bool
	args  []driver.Value
}

// add inserts a row, perhaps later. rid must be the one after the last row's.
func (t *inserter) add(c *conn, rid, stream int64, r *message.Record, at instant) error {
	if !t.begun {
		t.args = append(t.args, rid)
	}
	t.args = append(t.args, r.ID, r.From, r.To, r.TS, formatTime(r.CreatedAt), signed(r.Seq), r.Source,
		stream, at.us, at.ns, optional(r.Text))
	sql := insertMany
	if !t.begun {
		t.begun, sql = true, insertFirst
	} else if len(t.args) < insertChunk*insertColumns {
		return nil
	}
	err := c.exec(sql, t.args...)
	t.args = t.args[:0]
	return err
}

// flush inserts what is left.
func (t *inserter) flush(c *conn) error {
	for ; len(t.args) > 0; t.args = t.args[insertColumns:] {
		if err := c.exec(insertOne, t.args[:insertColumns]...); err != nil {
			return err
		}
	}
	return nil
}
