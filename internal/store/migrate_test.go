package store

import (
	"bytes"
	"compress/gzip"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/pkg/message"
)

var update = flag.Bool("update", false, "make the databases of testdata that are missing")

// scriptUpTo is what a database of some migrations was made with.
func scriptUpTo(version int) string {
	script := ""
	for _, m := range migrations[:version] {
		script += m.script + ";"
	}
	return script
}

// mark gives a database its number of migrations.
func mark(version int) string {
	return fmt.Sprintf("; PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)
}

func TestOpen_migratesFromEveryVersion(t *testing.T) {
	for version := range migrations {
		path := filepath.Join(t.TempDir(), "app.db")
		if version > 0 {
			execute(t, path, scriptUpTo(version)+"; INSERT INTO meta VALUES (1, 7, 16)"+mark(version))
			unavailable(t, openReader(t, path), fmt.Sprintf("%d migrations", version))
		}
		s := openStore(t, tiny(path))
		g := newGenerator(1)
		apply(t, s, batchOf(stream1, g.entries(1, 200)...))
		checkDatabase(t, s)
		appliedUpTo(t, openReader(t, path), 200)
	}
}

// released is the database of a release with so many migrations, in testdata.
func released(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("schema-%d.db.gz", version))
}

// TestOpen_aDatabaseOfEveryRelease opens a database with rows, dead letters and a
// search index of each schema there ever was. With -update, what is missing is made:
// a new migration needs its database before the next one comes.
func TestOpen_aDatabaseOfEveryRelease(t *testing.T) {
	for version := 1; version <= len(migrations); version++ {
		t.Run(fmt.Sprint("schema ", version), func(t *testing.T) {
			if _, err := os.Stat(released(version)); *update && err != nil {
				makeReleased(t, version)
			}
			path := filepath.Join(t.TempDir(), "app.db")
			unpack(t, released(version), path)
			m := &model{stream: stream1}
			before := read(t, path, m)
			if m.seq != 300 || len(m.rows) < 200 || len(m.letters) == 0 {
				t.Fatalf("there are %d rows and %d dead letters up to %d", len(m.rows), len(m.letters), m.seq)
			}

			copied := filepath.Join(t.TempDir(), "copy.db") // a copy can be taken before anything is migrated
			st, err := Snapshot(t.Context(), path, copied, func(int64, int64) {})
			if err != nil || st.Messages != int64(len(m.rows)) || st.Schema != version {
				t.Errorf("snapshot: %+v %v", st, err)
			}
			if _, err := CheckFile(t.Context(), copied); err != nil {
				t.Error(err)
			}

			s, r := openStore(t, tiny(path)), openReader(t, path)
			if after := read(t, path, &model{}); !slices.Equal(after, before) {
				t.Errorf("migrated:\n got %s\nwant %s", strings.Join(without(after, before), "\n     "), strings.Join(without(before, after), "\n     "))
			}
			checkDatabase(t, s)
			g := newGenerator(2)
			m.checkAgainst(t, r, g, 100)
			waitForIndex(t, s)
			m.checkAgainst(t, r, g, 100)

			more := g.entries(301, 200)
			for _, row := range m.rows[:20] { // repeats of what was there before
				more = append(more, record(uint64(301+len(more)), row.Message))
			}
			applyAll(t, s, g, stream1, more, 50)
			m.apply(stream1, more...)
			waitForIndex(t, s)
			checkDatabase(t, s)
			m.checkAgainst(t, r, g, 100)
			status, err := s.Status(t.Context())
			if err != nil || status.Schema != len(migrations) || status.DeadLetters != int64(len(m.letters)) || status.Outcomes != m.outcomes {
				t.Errorf("%+v, want %+v (%v)", status, m.outcomes, err)
			}
		})
	}
}

// makeReleased makes a database of this schema; one of an older schema gets those
// tables and columns that it had.
func makeReleased(t *testing.T, version int) {
	path := filepath.Join(t.TempDir(), "now.db")
	s, g := openStore(t, tiny(path)), newGenerator(7)
	g.instants = 1000
	applyAll(t, s, g, stream1, g.entries(1, 300), 40)
	waitForIndex(t, s)
	old := filepath.Join(t.TempDir(), "old.db")
	execute(t, old, strings.ReplaceAll(scriptUpTo(version), "rid >> 16", "rid >> 5")+mark(version)) // as tiny says
	c, err := openConn(old, "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.script(fmt.Sprintf("ATTACH '%s' AS now", path)); err != nil {
		t.Fatal(err)
	}
	for _, table := range names(t, c, "SELECT name FROM main.sqlite_schema WHERE type = 'table'") {
		columns := strings.Join(names(t, c, fmt.Sprintf("SELECT name FROM pragma_table_info('%s', 'main')", table)), ", ")
		if err := c.script(fmt.Sprintf("DELETE FROM main.%s; INSERT INTO main.%s (%s) SELECT %s FROM now.%s", table, table, columns, columns, table)); err != nil {
			t.Fatal(err)
		}
	}
	packed := filepath.Join(t.TempDir(), "packed.db")
	if err := c.script(fmt.Sprintf("DETACH now; VACUUM INTO '%s'", packed)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), os.MkdirAll("testdata", 0o755), os.WriteFile(released(version), zipped.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, c *conn, sql string) (all []string) {
	t.Helper()
	if err := c.query(sql, func(row []driver.Value) error {
		all = append(all, str(row[0]))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func unpack(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatalf("%v: make it with -update", err)
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// read returns what every schema has had, and fills m with it.
func read(t *testing.T, path string, m *model) (lines []string) {
	t.Helper()
	c, err := openForReading(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, sql := range []string{
		"SELECT rid, " + recordColumns + ", stream FROM messages r ORDER BY rid",
		"SELECT seq, msg_id, applied_at, messages, senders, inserted, duplicates, conflicts, dead_letters FROM state",
		"SELECT * FROM senders ORDER BY 1", "SELECT * FROM top_senders ORDER BY 1", "SELECT * FROM segments ORDER BY 1",
		"SELECT * FROM dead_letters ORDER BY stream, seq", "SELECT * FROM streams ORDER BY 1", "SELECT * FROM meta",
		"SELECT ord, value, sum(rows) FROM rank_groups GROUP BY 1, 2 ORDER BY 1, 2",
	} {
		lines = append(append(lines, sql), dump(t, c, sql)...)
	}
	row, err := c.one("SELECT seq, inserted, duplicates, conflicts, dead_letters FROM state")
	if err != nil {
		t.Fatal(err)
	}
	m.seq = uint64(integer(row[0]))
	m.outcomes = message.Outcomes{Inserted: integer(row[1]), Duplicates: integer(row[2]), Conflicts: integer(row[3]), DeadLetters: integer(row[4])}
	err = c.query("SELECT "+recordColumns+" FROM messages r", func(row []driver.Value) error {
		m.rows = append(m.rows, m.row(recordOf(row)))
		return nil
	})
	if err == nil {
		err = c.query("SELECT "+deadLetterColumns+" FROM dead_letters", func(row []driver.Value) error {
			m.letters = append(m.letters, deadLetterOf(row))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestOpen_aChangeTooBigNamesRebuild: a database older than such a change is left as
// it is, whoever opens it is told what to do, and that does it: what the stream
// holds no more is carried over from the old schema.
func TestOpen_aChangeTooBigNamesRebuild(t *testing.T) {
	h := newHistory(t, 3)
	for range 4 {
		h.publish(h.burst())
		h.wait()
		h.trim()
	}
	h.live.stop()
	h.rebuilt.stop()
	want := h.tables(h.live)
	m := h.model()
	snapshot := filepath.Join(t.TempDir(), "copy.db")
	if _, err := Snapshot(t.Context(), h.rebuilt.path, snapshot, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}

	before := migrations
	t.Cleanup(func() { migrations = before })
	migrations = append(slices.Clip(before), migration{script: "CREATE TABLE everything_else (id INTEGER PRIMARY KEY)", rebuild: true})

	_, err := Open(t.Context(), tiny(h.rebuilt.path))
	if !errors.Is(err, ErrNeedsRebuild) || !strings.Contains(err.Error(), "writer rebuild") {
		t.Fatalf("open: %v", err)
	}
	unavailable(t, h.rebuilt.reader, fmt.Sprintf("%d migrations", len(before)))
	if _, err := NewGeneration(t.Context(), GenerationConfig{Config: tiny(h.rebuilt.path), From: snapshot, Progress: func(int64, int64) {}}); err == nil ||
		!strings.Contains(err.Error(), "too old to begin with") {
		t.Errorf("from a snapshot: %v", err)
	}

	h.rebuilt.reader = OpenReader(ReaderConfig{Path: h.rebuilt.path, History: true})
	defer h.rebuilt.reader.Close()
	if err := h.run(GenerationConfig{Config: tiny(h.rebuilt.path)}, h.nobody); err != nil {
		t.Fatal(err)
	}
	wantSame(t, h.tables(h.rebuilt), want)
	s := openStore(t, tiny(h.rebuilt.path))
	checkDatabase(t, s)
	m.checkAgainst(t, openReader(t, h.rebuilt.path), h.generator, 50)
	if status, err := s.Status(t.Context()); err != nil || status.Schema != len(migrations) {
		t.Errorf("%+v %v", status, err)
	}
}

func TestOpen_makesTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "app.db")
	s := openStore(t, tiny(path))
	apply(t, s, batchOf(stream1, newGenerator(1).entries(1, 10)...))
	appliedUpTo(t, openReader(t, path), 10)
}
