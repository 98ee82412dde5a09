package store

import (
	"database/sql/driver"
	"maps"
	"slices"
	"strings"

	"sluice/pkg/message"
)

// senderCounts add up what a batch changes before anything is written: one write
// for each sender, however many of its messages are in the batch.
type senderCounts map[string]int64

// counterChunk is how many counters one statement moves.
const counterChunk = 32

var upsertCounter, upsertCounters = upsertStatement(1), upsertStatement(counterChunk)

func upsertStatement(n int) string {
	return "INSERT INTO senders (msisdn, rows) VALUES (?, ?)" + strings.Repeat(", (?, ?)", n-1) +
		" ON CONFLICT DO UPDATE SET rows = rows + excluded.rows RETURNING msisdn, rows"
}

// store moves the counters in the database and calls f for each sender with its
// rows before and after.
func (t senderCounts) store(c *conn, f func(sender string, before, after int64) error) error {
	senders := slices.Sorted(maps.Keys(t)) // neighbours share pages
	var args []driver.Value
	for len(senders) > 0 {
		n, sql := counterChunk, upsertCounters
		if len(senders) < n {
			n, sql = 1, upsertCounter
		}
		args = args[:0]
		for _, sender := range senders[:n] {
			args = append(args, sender, t[sender])
		}
		senders = senders[n:]
		err := c.query(sql, func(row []driver.Value) error {
			sender, after := str(row[0]), integer(row[1])
			return f(sender, after-t[sender], after)
		}, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// topSenders keeps the senders with the most rows. Counts only grow while
// batches are applied, so the new first ten are among the old first ten and the
// senders of the batch.
type topSenders struct {
	list    []message.SenderCount
	changed bool
}

func (t *topSenders) load(c *conn) error {
	t.list, t.changed = nil, false
	return c.query("SELECT msisdn, rows FROM top_senders ORDER BY rows DESC, msisdn", func(row []driver.Value) error {
		t.list = append(t.list, message.SenderCount{From: str(row[0]), Count: integer(row[1])})
		return nil
	})
}

// offer tells that a sender has count rows now.
func (t *topSenders) offer(from string, count int64) {
	before := func(a, b message.SenderCount) int {
		if a.Count != b.Count {
			return int(min(max(b.Count-a.Count, -1), 1))
		}
		return strings.Compare(a.From, b.From)
	}
	s := message.SenderCount{From: from, Count: count}
	if i := slices.IndexFunc(t.list, func(s message.SenderCount) bool { return s.From == from }); i >= 0 {
		t.list = slices.Delete(t.list, i, i+1)
	} else if len(t.list) == message.TopSenders && before(t.list[len(t.list)-1], s) < 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(t.list, s, before)
	t.list = slices.Insert(t.list, i, s)
	t.list = t.list[:min(len(t.list), message.TopSenders)]
	t.changed = true
}

// recount reads all senders: after rows were removed the first ten may be others.
func (t *topSenders) recount(c *conn) error {
	if err := c.exec(`DELETE FROM top_senders`); err != nil {
		return err
	}
	err := c.exec(`INSERT INTO top_senders (msisdn, rows)
		SELECT msisdn, rows FROM senders ORDER BY rows DESC, msisdn LIMIT ?`, int64(message.TopSenders))
	if err != nil {
		return err
	}
	return t.load(c)
}

func (t *topSenders) store(c *conn) error {
	if !t.changed {
		return nil
	}
	t.changed = false
	if err := c.exec("DELETE FROM top_senders"); err != nil {
		return err
	}
	for _, s := range t.list {
		if err := c.exec("INSERT INTO top_senders (msisdn, rows) VALUES (?, ?)", s.From, s.Count); err != nil {
			return err
		}
	}
	return nil
}
