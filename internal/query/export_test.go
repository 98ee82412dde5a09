package query

import (
	"errors"
	"slices"
	"testing"

	"sluice/pkg/message"
)

func recordsAt(seqs ...uint64) (records []message.Record) {
	for _, seq := range seqs {
		records = append(records, message.Record{Seq: seq})
	}
	return records
}

func seqsOf(records []message.Record) (seqs []uint64) {
	for _, r := range records {
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

// Between its stretches messages come in, which an export of an earlier moment
// does not have.
func TestExport_isOfTheMomentItBegan(t *testing.T) {
	next := func(id string) *message.Position { return &message.Position{ID: id} }
	db := &database{applied: 7, stretches: []message.Stretch{
		{Records: recordsAt(3, 7), Next: next("1"), Applied: 7},
		{Next: next("2"), Applied: 8},                           // none, though more follow
		{Records: recordsAt(8, 9), Next: next("3"), Applied: 9}, // all too young
		{Records: recordsAt(10, 1, 9), Next: nil, Applied: 10},
	}}
	e, got, err := New(Config{Reader: db, Acked: func() uint64 { return 0 }}).Export(t.Context(), ExportQuery{})
	if err != nil || e.Applied() != 7 || !slices.Equal(seqsOf(got), []uint64{3, 7}) {
		t.Fatalf("%v %d %v", got, e.Applied(), err)
	}
	for _, want := range [][]uint64{{1}, nil, nil} {
		if got, err := e.Next(t.Context()); err != nil || !slices.Equal(seqsOf(got), want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestExport_tellsWhatIsWrongWhereverItHappens(t *testing.T) {
	db := &database{stretches: []message.Stretch{{Records: recordsAt(1), Next: &message.Position{ID: "1"}, Applied: 1}, {}}}
	service := New(Config{Reader: db, Acked: func() uint64 { return 0 }})
	e, _, err := service.Export(t.Context(), ExportQuery{})
	if err != nil {
		t.Fatal(err)
	}
	db.set(func(d *database) { d.err = message.ErrUnavailable })
	if _, err := e.Next(t.Context()); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("in the middle: %v", err)
	}
	if _, _, err := service.Export(t.Context(), ExportQuery{}); !errors.Is(err, message.ErrUnavailable) {
		t.Errorf("at the beginning: %v", err)
	}
}

func TestParseExport_readsFiltersAndIgnoresPages(t *testing.T) {
	q, err := ParseExport("from=%2B1&to=+2&since=2025-01-01T00:00:00Z&until=2026-01-01T00:00:00Z&q=x&order=desc&after=9&limit=0&offset=x&cursor=x")
	if err != nil || q.From != "+1" || q.To != "+2" || q.Since == nil || q.Until == nil || q.Text != "x" || !q.Descending || q.AfterSeq != 9 {
		t.Errorf("%+v %v", q, err)
	}
	_, err = ParseExport("from=x&to=x&since=x&until=x&q=%ff&order=x&after=x")
	if broken, ok := errors.AsType[message.InvalidErrors](err); !ok || len(broken) != 7 {
		t.Errorf("%v", err)
	}
}
