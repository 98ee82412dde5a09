package harness

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"sluice/pkg/message"
	"sluice/test/load"
)

// Audit is a comparison of a ledger with a database.
type Audit struct {
	Acked   int      // messages in the ledger
	Rows    int      // rows in the database
	Missing []string // acknowledged, but without a row
	Twice   []string // with more than one row
	Wrong   []string // with other content than was posted
	Unknown int      // rows of messages that the ledger does not know: in flight at a crash
}

// Lost reports whether a promise was broken.
func (a *Audit) Lost() bool { return len(a.Missing)+len(a.Twice)+len(a.Wrong) > 0 }

func (a *Audit) String() string {
	return fmt.Sprintf("%d acknowledged, %d rows, %d missing %q, %d twice %q, %d wrong %q, %d more that nobody was told of",
		a.Acked, a.Rows, len(a.Missing), some(a.Missing), len(a.Twice), some(a.Twice), len(a.Wrong), some(a.Wrong), a.Unknown)
}

// Totals sum up the comparisons of a run which must have found everything.
type Totals struct{ Audits, Acked, Missing, Twice, Wrong int }

func (t Totals) String() string {
	return fmt.Sprintf("%d acknowledged messages checked in %d comparisons: %d missing, %d twice, %d wrong",
		t.Acked, t.Audits, t.Missing, t.Twice, t.Wrong)
}

var totals struct {
	mu sync.Mutex
	Totals
}

// Audited returns what all comparisons found that were counted until now.
func Audited() Totals {
	totals.mu.Lock()
	defer totals.mu.Unlock()
	return totals.Totals
}

// Count counts a comparison into what Audited returns; WaitForAll does so itself.
func (a *Audit) Count() {
	totals.mu.Lock()
	defer totals.mu.Unlock()
	totals.Audits++
	totals.Acked += a.Acked
	totals.Missing += len(a.Missing)
	totals.Twice += len(a.Twice)
	totals.Wrong += len(a.Wrong)
}

func some(ids []string) []string { return ids[:min(len(ids), 3)] }

// Compare reads every row of a database and compares them with what the ledger
// says was acknowledged of the payload.
func Compare(ctx context.Context, db *sql.DB, payload load.Payload, ledger *load.Ledger) (*Audit, error) {
	rows, err := db.QueryContext(ctx, `SELECT message_id, from_msisdn, to_msisdn, ts, text FROM messages`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := map[string]message.Message{}
	a := &Audit{}
	for rows.Next() {
		var m message.Message
		if err := rows.Scan(&m.ID, &m.From, &m.To, &m.TS, &m.Text); err != nil {
			return nil, err
		}
		if _, twice := stored[m.ID]; twice {
			a.Twice = append(a.Twice, m.ID)
		}
		stored[m.ID] = m
		a.Rows++
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}

	payload = payload.WithDefaults()
	known := 0
	ledger.All(func(n uint64) {
		a.Acked++
		want := payload.Message(n)
		got, ok := stored[want.ID]
		switch {
		case !ok:
			a.Missing = append(a.Missing, want.ID)
			return
		case !got.SameContent(&want):
			a.Wrong = append(a.Wrong, want.ID)
		}
		known++
	})
	a.Unknown = len(stored) - known
	return a, nil
}

// WaitForAll waits until the database holds everything that the ledger says was
// acknowledged, and fails the test when it never does or holds it wrongly.
func (p *Pipeline) WaitForAll(payload load.Payload, ledger *load.Ledger) *Audit {
	p.t.Helper()
	db := p.Open()
	defer db.Close()
	last := &Audit{}
	defer func() { last.Count() }()
	Eventually(p.t, "every acknowledged message in the database", func() bool {
		a, err := Compare(p.t.Context(), db, payload, ledger)
		if err != nil {
			p.t.Logf("compare: %v", err) // the writer may be replacing it
			return false
		}
		last = a
		return len(a.Missing) == 0
	})
	if last.Lost() {
		p.t.Fatal(last)
	}
	return last
}
