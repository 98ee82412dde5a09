package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"sluice/pkg/message"
)

func text(s string) *string { return &s }

func TestApply_twiceIsOnce(t *testing.T) {
	s, _ := open(t)
	g := newGenerator(1)
	first, second := g.entries(1, 300), g.entries(301, 200)
	apply(t, s, batchOf(stream1, first...))
	before := contents(t, s)

	again := apply(t, s, batchOf(stream1, first...))
	if !reflect.DeepEqual(again, message.Applied{}) {
		t.Errorf("a batch applied again did %+v", again)
	}
	if got := contents(t, s); !slices.Equal(got, before) {
		t.Error("a batch applied again changed the database")
	}

	overlapping := append(slices.Clone(first[100:]), second...)
	apply(t, s, batchOf(stream1, overlapping...))
	checkDatabase(t, s)

	once, _ := open(t)
	apply(t, once, batchOf(stream1, append(first, second...)...))
	if !slices.Equal(contents(t, s), contents(t, once)) {
		t.Error("overlapping batches give another database than one batch")
	}
}

func TestApply_anySplitGivesTheSameDatabase(t *testing.T) {
	for seed := range seeds(4) {
		entries := newGenerator(seed).entries(1, 500)
		var want []string
		for _, maxBatch := range []int{500, 1, 20, 300} {
			s, _ := open(t)
			applyAll(t, s, newGenerator(seed), stream1, entries, maxBatch)
			checkDatabase(t, s)
			got := contents(t, s)
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: batches of at most %d give another database", seed, maxBatch)
			}
		}
	}
}

func TestApply_firstWriteWins(t *testing.T) {
	s, r := open(t)
	m := message.Message{ID: "a", From: "+1", To: "+2", TS: "2025-01-01T00:00:00Z", Text: text("one")}
	other, none := m, m
	other.Text, none.Text = text("two"), nil

	got := apply(t, s, batchOf(stream1, record(1, m), record(2, other), record(3, m)))
	want := message.Applied{Inserted: 1, Duplicates: 1, Conflicts: []message.Conflict{{ID: "a", Seq: 2, FirstSeq: 1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in one batch: %+v, want %+v", got, want)
	}

	got = apply(t, s, batchOf(stream1, record(4, none), record(5, m)))
	want = message.Applied{Duplicates: 1, Conflicts: []message.Conflict{{ID: "a", Seq: 4, FirstSeq: 1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in another batch: %+v, want %+v", got, want)
	}

	row, applied, err := r.Message(t.Context(), "a")
	if err != nil || !equalRecords(row.Record, record(1, m)) || applied != 5 {
		t.Errorf("row is %+v as of %d, %v", row, applied, err)
	}
}

// Ids of segments that were sealed long ago are known, whether their filters are in a
// group or not, and after a restart, when none are.
func TestApply_knowsIdsOfEverySegment(t *testing.T) {
	config := tiny(filepath.Join(t.TempDir(), "app.db"))
	s := openStore(t, config)
	const rows = 2*groupSegments*32 + 5*32
	g := newGenerator(1)
	seq := uint64(0)
	next := func(m message.Message) message.Record {
		seq++
		return record(seq, m)
	}
	var first []any
	for i := range rows {
		first = append(first, next(message.Message{ID: fmt.Sprint("id ", i), From: g.msisdn(3), To: "+1", TS: g.ts()}))
	}
	apply(t, s, batchOf(stream1, first...))
	if len(s.segments.groups) != 2 {
		t.Fatalf("%d groups", len(s.segments.groups))
	}
	for range 2 {
		checkDatabase(t, s)
		var again []any
		for _, r := range first {
			again = append(again, next(r.(message.Record).Message))
		}
		if a := apply(t, s, batchOf(stream1, again...)); a.Duplicates != rows || a.Inserted != 0 {
			t.Errorf("%d duplicates, %d inserted", a.Duplicates, a.Inserted)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, config)
	}
}

func TestApply_refusesAnotherStream(t *testing.T) {
	s, _ := open(t)
	g := newGenerator(1)
	apply(t, s, batchOf(stream1, g.entries(1, 10)...))
	before := contents(t, s)
	if _, err := s.Apply(t.Context(), batchOf(stream2, g.entries(1, 10)...)); !errors.Is(err, ErrOtherStream) {
		t.Errorf("error is %v", err)
	}
	if !slices.Equal(contents(t, s), before) {
		t.Error("a refused batch changed the database")
	}
}

func TestApply_afterAFailureMemoryIsAsTheDatabase(t *testing.T) {
	s, _ := open(t)
	g := newGenerator(3)
	apply(t, s, batchOf(stream1, g.entries(1, 200)...))
	before := contents(t, s)

	// The last row breaks the batch when nearly everything is done.
	entries := g.entries(201, 200)
	run := func(sql string) {
		if err := s.use(t.Context(), func() error { return s.conn.exec(sql) }); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TEMP TRIGGER full BEFORE UPDATE ON main.state BEGIN SELECT raise(ABORT, 'no'); END")
	if _, err := s.Apply(t.Context(), batchOf(stream1, entries...)); err == nil {
		t.Fatal("a batch that cannot be stored was applied")
	}
	run("DROP TRIGGER full")
	if !slices.Equal(contents(t, s), before) {
		t.Error("a failed batch changed the database")
	}
	applyAll(t, s, g, stream1, entries, 50)
	checkDatabase(t, s)
}

func TestApply_endsWithItsContext(t *testing.T) {
	s, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Apply(ctx, batchOf(stream1, newGenerator(1).entries(1, 10)...)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestApply_survivesARestartAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	g := newGenerator(5)
	entries := g.entries(1, 600)
	whole, _ := open(t)
	apply(t, whole, batchOf(stream1, entries...))

	for rest := entries; len(rest) > 0; {
		n := min(1+g.IntN(80), len(rest))
		s, err := Open(t.Context(), tiny(path))
		if err != nil {
			t.Fatal(err)
		}
		apply(t, s, batchOf(stream1, rest[:n]...))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	s := openStore(t, tiny(path))
	checkDatabase(t, s)
	if !slices.Equal(contents(t, s), contents(t, whole)) {
		t.Error("restarts give another database")
	}
}

func TestStatus_tellsWhatWasApplied(t *testing.T) {
	s, r := open(t)
	g := newGenerator(7)
	var m model
	entries := g.entries(1, 400)
	applyAll(t, s, g, stream1, entries, 60)
	m.apply(stream1, entries...)

	for _, status := range []func(context.Context) (message.StoreStatus, error){s.Status, r.Status} {
		st, err := status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Checkpoint.Seq != 400 || st.Checkpoint.StreamID != stream1 || !st.AppliedAt.Equal(accepted(400)) ||
			st.Outcomes != m.outcomes || st.DeadLetters != int64(len(m.letters)) || st.Schema != len(migrations) || st.Bytes == 0 {
			t.Errorf("status is %+v, want outcomes %+v", st, m.outcomes)
		}
	}
}
