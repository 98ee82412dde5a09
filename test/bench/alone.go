package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"sluice/test/harness"
)

const (
	aloneRows  = 1_000_000 // at most
	aloneBatch = 20_000    // rows of a transaction, as in a rebuild
)

// insertAlone puts a pipeline's messages into a new table with the same columns and
// indexes, through the same driver, and does nothing else: no stream, no counters,
// no search, no sync. It returns rows a second; reading them does not count.
func insertAlone(t testing.TB, p *harness.Pipeline) float64 {
	t.Helper()
	from := p.Open()
	into, err := (&sqlite.Driver{}).Open("file:" + filepath.Join(t.TempDir(), "alone.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	exec := func(statement string) {
		s := prepare(t, into, statement)
		defer s.Close()
		execute(t, s, nil)
	}
	exec("PRAGMA page_size = 8192")
	exec("PRAGMA journal_mode = WAL")
	exec("PRAGMA synchronous = OFF")
	exec("PRAGMA cache_size = -65536")
	exec("PRAGMA wal_autocheckpoint = 16384")
	for _, statement := range harness.Texts(t, from, "SELECT sql FROM sqlite_schema WHERE tbl_name = 'messages' AND sql IS NOT NULL ORDER BY rowid") {
		exec(statement)
	}
	names := harness.Texts(t, from, "SELECT name FROM pragma_table_info('messages')")
	insert := prepare(t, into, fmt.Sprintf("INSERT INTO messages (%s) VALUES (?%s)", strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1)))
	defer insert.Close()

	rows, err := from.Query(fmt.Sprintf("SELECT %s FROM messages ORDER BY rid LIMIT %d", strings.Join(names, ", "), aloneRows))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var took time.Duration
	done, more := 0, true
	for more {
		var batch [][]driver.NamedValue
		for len(batch) < aloneBatch && more {
			if more = rows.Next(); more {
				batch = append(batch, values(t, rows, len(names)))
			}
		}
		began := time.Now()
		exec("BEGIN")
		for _, row := range batch {
			execute(t, insert, row)
		}
		exec("COMMIT")
		took += time.Since(began)
		done += len(batch)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return float64(done) / took.Seconds()
}

func prepare(t testing.TB, c driver.Conn, statement string) driver.Stmt {
	t.Helper()
	s, err := c.Prepare(statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return s
}

func execute(t testing.TB, s driver.Stmt, args []driver.NamedValue) {
	t.Helper()
	if _, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args); err != nil {
		t.Fatal(err)
	}
}

// values returns the row as parameters of a statement.
func values(t testing.TB, rows *sql.Rows, n int) []driver.NamedValue {
	t.Helper()
	row, into := make([]driver.NamedValue, n), make([]any, n)
	for i := range row {
		row[i].Ordinal = i + 1
		into[i] = (*any)(&row[i].Value)
	}
	if err := rows.Scan(into...); err != nil {
		t.Fatal(err)
	}
	return row
}
