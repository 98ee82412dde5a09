package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSync_neverForgetsAFailure(t *testing.T) {
	s, _ := open(t)
	apply(t, s, batchOf(stream1, newGenerator(1).entries(1, 10)...))
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.wal.Close(); err != nil {
		t.Fatal(err)
	}
	first := s.Sync(t.Context())
	var err error
	if s.wal, err = os.Open(s.path + walSuffix); err != nil {
		t.Fatal(err)
	}
	if again := s.Sync(t.Context()); first == nil || !errors.Is(again, first) {
		t.Errorf("a failed sync: %v, and again: %v", first, again)
	}
}

func TestApply_keepsTheLogSmallOnceReadersLetIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	config := tiny(path)
	config.wal = walConfig{checkpointFrames: 20, restartFrames: 60, readerWait: 10 * time.Millisecond, keepBytes: 60 * pageBytes}
	s, r := openStore(t, config), openReader(t, path)
	g := newGenerator(1)
	seq := uint64(1)
	some := func(batches int) {
		for range batches {
			apply(t, s, batchOf(stream1, g.entries(seq, 5)...))
			seq += 5
		}
	}
	bytes := func() int64 {
		st, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return st.WALBytes
	}

	some(50)
	if n := bytes(); n > 100*pageBytes {
		t.Errorf("the log has %d pages without readers", n/pageBytes)
	}
	err := r.read(t.Context(), func(*snapshot) error {
		some(20)
		if n := bytes(); n < 60*pageBytes {
			t.Errorf("the log has %d pages with a reader that needs it", n/pageBytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	some(3)
	if n := bytes(); n > 100*pageBytes {
		t.Errorf("the log has %d pages after the reader has gone", n/pageBytes)
	}
	checkDatabase(t, s)
}

func TestApply_onAFullDiskChangesNothing(t *testing.T) {
	s, _ := open(t)
	g := newGenerator(1)
	apply(t, s, batchOf(stream1, g.entries(1, 100)...))
	waitForIndex(t, s)
	before := contents(t, s)
	limit := func(sql string) {
		if err := s.use(context.Background(), func() error { return s.conn.script(sql) }); err != nil {
			t.Fatal(err)
		}
	}
	more := g.entries(101, 5000)
	limit("PRAGMA max_page_count = 1") // SQLite takes the present size instead
	if _, err := s.Apply(t.Context(), batchOf(stream1, more...)); !errors.Is(err, ErrDiskFull) {
		t.Errorf("error is %v", err)
	}
	if !slices.Equal(contents(t, s), before) {
		t.Error("a batch that found no room changed the database")
	}
	limit("PRAGMA max_page_count = 1000000")
	apply(t, s, batchOf(stream1, more...))
	checkDatabase(t, s)
}
