package system

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

// stored is everything that a rebuilt database must have again.
func stored(t *testing.T, p *harness.Pipeline) []string {
	t.Helper()
	db := p.Open()
	defer db.Close()
	return harness.Texts(t, db, `SELECT concat_ws('|', message_id, from_msisdn, to_msisdn, ts, quote(text), created_at, seq, source) FROM messages
		UNION ALL SELECT concat_ws('|', 'dead', seq, created_at, source, hex(data)) FROM dead_letters ORDER BY 1`)
}

// TestDeletedDatabase: the stream is the truth, so that a deleted database comes
// back the same, while the api goes on.
func TestDeletedDatabase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		end   func(*harness.Process)
		files string // deleted
	}{
		{"after a stop", func(w *harness.Process) { w.Stop() }, "app.db*"},
		{"after a kill", (*harness.Process).Kill, "app.db*"},
		{"after a kill, its log left behind", (*harness.Process).Kill, "app.db"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			res := load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Connections: 8, Count: 500})
			p.Post(load.Payload{}.WithDefaults().Message(7)) // a repeat
			publish(t, p, "webhooks.plain", "garbage")
			p.Post(hello("last"))
			if page := p.Messages(); page.Total != 501 || res.OK() != 500 {
				t.Fatalf("there are %d messages: %v", page.Total, res)
			}
			before := stored(t, p)

			test.end(p.Writer)
			files, err := filepath.Glob(filepath.Join(p.Dir, test.files))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, f := range files {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
			p.Writer.StartReady()
			p.API.WaitReady()
			if page := p.Messages(); page.Total != 501 {
				t.Errorf("the new database has %d messages", page.Total)
			}
			if after := stored(t, p); !slices.Equal(after, before) {
				t.Errorf("the new database differs: %d rows, then %d", len(before), len(after))
			}
			p.Post(hello("one more"))
			if page := p.Messages(); page.Total != 502 {
				t.Errorf("after one more there are %d messages", page.Total)
			}
		})
	}
}

// TestStreamMadeAnew: with its stream deleted the database keeps what it has and
// takes what comes.
func TestStreamMadeAnew(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("old", 30)...)
	p.Messages()
	p.API.Stop()
	if err := os.RemoveAll(filepath.Join(p.Dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	p.API.StartReady()
	p.Post(numbered("new", 10)...)
	p.Post(numbered("old", 5)...) // repeats, which the new stream does not know
	harness.Eventually(t, "the old and the new messages", func() bool { return p.Messages().Total == 40 })
	p.Writer.WaitReady()
	row, ok := p.Message("old00001")
	created, err := time.Parse(time.RFC3339Nano, row.CreatedAt)
	if !ok || err != nil || created.IsZero() {
		t.Errorf("an old message is %+v: %v", row, err)
	}
}

// TestOlderDatabase: a database put back from a copy catches up.
func TestOlderDatabase(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 20)...)
	p.Messages()
	p.Writer.Stop()
	copied := p.CopyDatabase(t.TempDir())
	p.Writer.StartReady()
	p.Post(numbered("n", 20)...)
	p.Messages()
	before := stored(t, p)

	p.Writer.Stop()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(p.Database + suffix)
	}
	for _, suffix := range []string{"-wal", ""} {
		if err := os.Rename(copied+suffix, p.Database+suffix); err != nil && suffix == "" {
			t.Fatal(err)
		}
	}
	p.Writer.StartReady()
	harness.Eventually(t, "all messages", func() bool {
		res := p.Get("/stats")
		return res.Status == 200 && object(t, res.Body)["total_messages"] == 40.0
	})
	if after := stored(t, p); !slices.Equal(after, before) {
		t.Errorf("the database differs: %d rows, then %d", len(before), len(after))
	}
}
