package store

import (
	"database/sql/driver"
	"strings"

	"sluice/pkg/message"
)

// order is a way of putting rows in a row: all of them by key, or those with one
// value in a column by key. It has an index that begins with the segment.
type order struct {
	id     int64  // in the rank index
	column string // whose value a run has, empty for the order of all rows

	// Statements over a span of a run, with the parameters of run.args.
	countSQL string // how many rows
	nthSQL   string // ts_us, ts_ns, message_id of the row after as many as parameter 8 says
	rowsSQL  string // recordColumns of at most parameter 8 rows, after parameter 9
}

var (
	byTime   = newOrder(0, "messages_time", "")
	bySender = newOrder(1, "messages_sender", "from_msisdn")

	orders = []*order{byTime, bySender}
)

// newOrder writes the statements of an order. CROSS JOIN makes SQLite go through
// the segments and look each one up in the index, where a plain join might scan.
func newOrder(id int64, index, column string) *order {
	value := "?7 = ''"
	if column != "" {
		value = "m." + column + " = ?7"
	}
	from := strings.NewReplacer("{index}", index, "{value}", value).Replace(`
		FROM segments s CROSS JOIN messages m INDEXED BY {index}
		WHERE s.max_us >= ?1 AND s.min_us <= ?4 AND m.seg = s.seg AND {value}
		  AND (m.ts_us, m.ts_ns, m.message_id) >= (?1, ?2, ?3)
		  AND (m.ts_us, m.ts_ns, m.message_id) < (?4, ?5, ?6)`)
	const inOrder = " ORDER BY m.ts_us, m.ts_ns, m.message_id"
	return &order{
		id: id, column: column,
		countSQL: "SELECT count(*)" + from,
		nthSQL:   "SELECT m.ts_us, m.ts_ns, m.message_id" + from + inOrder + " LIMIT 1 OFFSET ?8",
		rowsSQL: "SELECT " + recordColumns + " FROM (SELECT m.rid" + from + inOrder +
			" LIMIT ?8 OFFSET ?9) k CROSS JOIN messages r ON r.rid = k.rid",
	}
}

// run is the rows of one order: all, or those of one sender.
type run struct {
	order *order
	value string // empty in the order of all rows
}

var allRows = run{byTime, ""}

// runsOf returns every run that a message is in.
func runsOf(m *message.Message) [2]run {
	return [2]run{allRows, {bySender, m.From}}
}

// args are the parameters of an order's statements for the rows of r inside s.
func (r run) args(s span, more ...driver.Value) []driver.Value {
	lo, loID := s.lo.parts()
	hi, hiID := s.hi.parts()
	args := []driver.Value{lo.us, lo.ns, loID, hi.us, hi.ns, hiID, r.value}
	return append(args, more...)
}

// count returns how many rows of r lie inside s. It reads them all.
func (c *conn) count(r run, s span) (int64, error) {
	if s.empty() {
		return 0, nil
	}
	row, err := c.one(r.order.countSQL, r.args(s)...)
	if err != nil {
		return 0, err
	}
	return integer(row[0]), nil
}

// nth returns the key of the row of r inside s that has n rows before it there.
// It reads those.
func (c *conn) nth(r run, s span, n int64) (k key, ok bool, err error) {
	row, err := c.one(r.order.nthSQL, r.args(s, n)...)
	if err != nil || row == nil {
		return "", false, err
	}
	return makeKey(instant{integer(row[0]), integer(row[1])}, str(row[2])), true, nil
}
