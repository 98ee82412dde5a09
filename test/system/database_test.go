package system

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice/test/harness"
)

// TestDatabase_anyoneMayRead: the seed's columns are there, for any program that
// opens the file read-only.
func TestDatabase_anyoneMayRead(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(hello("one"))
	row, _ := p.Message("one")

	db := p.Open()
	var id, from, to, ts, text, created string
	err := db.QueryRow(`SELECT message_id, from_msisdn, to_msisdn, ts, text, created_at FROM messages`).Scan(&id, &from, &to, &ts, &text, &created)
	if err != nil || id != "one" || from != "+919876543210" || to != "+14155550100" || ts != "2025-01-15T10:00:00Z" || text != "Hello" {
		t.Errorf("the row is %q %q %q %q %q %q: %v", id, from, to, ts, text, created, err)
	}
	stored, err := time.Parse(time.RFC3339Nano, created)
	shown, err2 := time.Parse(time.RFC3339Nano, row.CreatedAt)
	if err != nil || err2 != nil || !stored.Equal(shown) || !strings.HasSuffix(created, "Z") {
		t.Errorf("created_at is stored as %q and shown as %q", created, row.CreatedAt)
	}
	if _, err := db.Exec(`DELETE FROM messages`); err == nil {
		t.Error("a reader could delete")
	}
}

// TestDatabase_sqlite3 reads it with the command, while the writer runs and after
// it has stopped.
func TestDatabase_sqlite3(t *testing.T) {
	t.Parallel()
	command, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("NOT TESTED: there is no sqlite3 command here")
	}
	p := start(t)
	p.Post(numbered("m", 3)...)
	p.Messages()
	count := func() {
		t.Helper()
		out, err := exec.Command(command, "-readonly", p.Database, "SELECT count(*) FROM messages").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "3" {
			t.Errorf("sqlite3 says %q: %v", out, err)
		}
	}
	count()
	p.Writer.Stop()
	count()
	p.API.Stop()
	count()
}

// TestDatabase_aReaderDoesNotStopTheWriter: a long read transaction sees one
// moment, and the writer goes on.
func TestDatabase_aReaderDoesNotStopTheWriter(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 3)...)
	p.Messages()
	tx, err := p.Open().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	count := func() (n int) {
		if err := tx.QueryRow(`SELECT count(*) FROM messages`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 3 {
		t.Fatalf("the reader sees %d rows", n)
	}
	p.Post(numbered("n", 100)...)
	harness.Eventually(t, "more rows", func() bool { return p.Messages().Total == 103 })
	if n := count(); n != 3 {
		t.Errorf("inside its transaction the reader sees %d rows", n)
	}
}
