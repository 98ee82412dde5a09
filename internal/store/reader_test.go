package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/pkg/message"
)

// unavailable fails unless every query says that there is no database, and why.
func unavailable(t *testing.T, r *Reader, reason string) {
	t.Helper()
	for range 2 {
		_, err := r.Applied(t.Context())
		if !errors.Is(err, message.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
			t.Errorf("error is %v, want one that says %q", err, reason)
		}
	}
}

func appliedUpTo(t *testing.T, r *Reader, want uint64) {
	t.Helper()
	if got, err := r.Applied(t.Context()); err != nil || got != want {
		t.Errorf("applied up to %d, %v, want %d", got, err, want)
	}
}

func TestReader_waitsForADatabaseWithoutMakingOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "app.db")
	r := openReader(t, path)
	unavailable(t, r, "has not made")
	if r.WriterPresent() {
		t.Error("a writer is present in a directory that does not exist")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	unavailable(t, r, "has not made")
	if r.WriterPresent() {
		t.Error("a writer is present in an empty directory")
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("the reader made %v", names)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	unavailable(t, r, "0 migrations")

	s := openStore(t, tiny(path))
	appliedUpTo(t, r, 0)
	apply(t, s, batchOf(stream1, newGenerator(1).entries(1, 10)...))
	appliedUpTo(t, r, 10)
}

func TestReader_noticesThatTheFileIsAnother(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	r := openReader(t, path)

	first := openStore(t, tiny(path))
	apply(t, first, batchOf(stream1, newGenerator(1).entries(1, 10)...))
	appliedUpTo(t, r, 10)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	unavailable(t, r, "has not made")
	if _, err := first.Apply(t.Context(), batchOf(stream1, newGenerator(2).entries(11, 1)...)); !errors.Is(err, ErrReplaced) {
		t.Errorf("a batch for a removed file: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := openStore(t, tiny(path))
	apply(t, second, batchOf(stream1, newGenerator(3).entries(1, 20)...))
	appliedUpTo(t, r, 20)
}

func TestReader_followsALinkThatMoves(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "app.db")
	r := openReader(t, link)
	for n, name := range []string{"one.db", "two.db"} {
		s := openStore(t, tiny(filepath.Join(dir, name)))
		apply(t, s, batchOf(stream1, newGenerator(1).entries(1, 10+n)...))
		if err := os.Symlink(name, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
		appliedUpTo(t, r, uint64(10+n))
		st, err := r.Status(t.Context())
		if err != nil || st.Bytes == 0 || st.WALBytes == 0 {
			t.Errorf("status through the link: %+v, %v", st, err)
		}
	}
}

func TestReader_saysWhatIsWrongWithAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	r := openReader(t, path)

	if err := os.WriteFile(path, []byte(strings.Repeat("not a database. ", 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	unavailable(t, r, "not a database")
	if _, err := Open(t.Context(), tiny(path)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("open: %v", err)
	}
	os.Remove(path)

	execute(t, path, "CREATE TABLE messages (message_id TEXT)")
	unavailable(t, r, "other tables")
	if _, err := Open(t.Context(), tiny(path)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("open: %v", err)
	}
	os.Remove(path)

	if err := openStore(t, tiny(path)).Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "PRAGMA user_version = 99")
	unavailable(t, r, "99 migrations")
	if _, err := Open(t.Context(), tiny(path)); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("open: %v", err)
	}
}

func TestOpen_saysThatAFileIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	s := openStore(t, tiny(path))
	apply(t, s, batchOf(stream1, newGenerator(1).entries(1, 500)...))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i++ {
		b[i] = 0xee
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), tiny(path)); !errors.Is(err, ErrDamaged) {
		t.Errorf("open: %v", err)
	}
	unavailable(t, openReader(t, path), "damaged")
}

// execute runs a script in a database of its own connection.
func execute(t *testing.T, path, sql string) {
	t.Helper()
	c, err := openConn(path, "rwc")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.script(sql); err != nil {
		t.Fatal(err)
	}
}

func TestReader_servesManyAtATimeUntilClosed(t *testing.T) {
	s, r := open(t)
	g := newGenerator(1)
	apply(t, s, batchOf(stream1, g.entries(1, 100)...))

	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for n := 0; ; n++ {
				req := message.PageRequest{Limit: 10, Offset: i}
				if i%2 == 0 {
					req.Offset, req.Text = 0, pick(newGenerator(uint64(n)), "s", " ", "hello", "ss")
				}
				page, err := r.Messages(t.Context(), req)
				if errors.Is(err, message.ErrUnavailable) && n > 0 {
					return
				}
				if err != nil || len(page.Records) != 10 || i%2 == 1 && page.Total < 80 {
					t.Errorf("page of %d of %d, %v", len(page.Records), page.Total, err)
					return
				}
				if i == 0 && n == 50 {
					r.Close()
				}
			}
		})
	}
	for seq := uint64(101); seq < 400; seq += 20 {
		apply(t, s, batchOf(stream1, g.entries(seq, 20)...))
	}
	wg.Wait()
	unavailable(t, r, "closed")
}

func TestReader_findsAMessageByItsID(t *testing.T) {
	s, r := open(t)
	g := newGenerator(9)
	var m model
	entries := g.entries(1, 300)
	applyAll(t, s, g, stream1, entries, 50)
	m.apply(stream1, entries...)
	for _, want := range m.rows {
		got, applied, err := r.Message(t.Context(), want.ID)
		if err != nil || !equalRecords(got.Record, want.Record) || applied != 300 {
			t.Errorf("message %q is %+v as of %d, %v", want.ID, got, applied, err)
		}
	}
	if _, _, err := r.Message(t.Context(), "nobody"); !errors.Is(err, message.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestReader_listsDeadLetters(t *testing.T) {
	s, r := open(t)
	letter := func(seq uint64) message.DeadLetter {
		return message.DeadLetter{Seq: seq, CreatedAt: accepted(seq), Source: "plain", Reason: fmt.Sprint("reason ", seq), Data: []byte{0, 1}}
	}
	apply(t, s, batchOf(stream1, letter(1), letter(2)))
	apply(t, s, batchOf(stream1, letter(5)))

	var seqs []uint64
	err := r.DeadLetters(t.Context(), func(d message.DeadLetter) error {
		seqs = append(seqs, d.Seq)
		return nil
	})
	if err != nil || fmt.Sprint(seqs) != "[1 2 5]" {
		t.Errorf("dead letters %v, %v", seqs, err)
	}
	d, err := r.DeadLetter(t.Context(), 5)
	if err != nil || d.Reason != "reason 5" || string(d.Data) != "\x00\x01" || !d.CreatedAt.Equal(accepted(5)) {
		t.Errorf("dead letter 5 is %+v, %v", d, err)
	}
	if _, err := r.DeadLetter(t.Context(), 3); !errors.Is(err, message.ErrNotFound) {
		t.Errorf("dead letter 3: %v", err)
	}
}
