package store

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"sluice/pkg/message"
)

// arrived is what a model's rows behind a sequence bring.
func (m *model) arrived(f message.Filter, after uint64) (records []message.Record) {
	for _, r := range m.sorted(f, false) {
		if r.stream == m.stream && r.Seq > after {
			records = append(records, r.Record)
		}
	}
	slices.SortFunc(records, func(a, b message.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return records
}

func TestArrivals_bringEveryMatchOnceInOrder(t *testing.T) {
	for seed := range seeds(3) {
		g := newGenerator(seed)
		s, r := open(t)
		m := model{stream: stream1}
		entries := g.entries(1, 300)
		applyAll(t, s, g, stream1, entries, 50)
		m.apply(stream1, entries...)
		for range 40 {
			f := m.request(g).Filter
			after := uint64(g.IntN(320))
			want := m.arrived(f, after)
			var got []message.Record
			for at := after; ; {
				a, err := r.Arrivals(context.Background(), message.ArrivalsRequest{Filter: f, After: at, Limit: 1 + g.IntN(60)})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, a.Records...)
				if at = a.Seq; at >= a.Applied {
					break
				}
			}
			if !slices.EqualFunc(got, want, equalRecords) {
				t.Fatalf("seed %d, %+v behind %d:\n got %d\nwant %d", seed, f, after, len(got), len(want))
			}
		}
	}
}

func TestArrivals_theLastPassOverTheRest(t *testing.T) {
	s, r := open(t)
	g := newGenerator(1)
	applyAll(t, s, g, stream1, g.entries(1, 300), 50)
	all, err := r.Arrivals(context.Background(), message.ArrivalsRequest{Limit: 1000, Last: true})
	if err != nil || all.Passed != 0 || all.Seq != 300 {
		t.Fatalf("%d passed, at %d, %v", all.Passed, all.Seq, err)
	}
	last, err := r.Arrivals(context.Background(), message.ArrivalsRequest{Limit: 10, Last: true})
	if err != nil || last.Passed != int64(len(all.Records)-10) || last.Seq != 300 ||
		!slices.EqualFunc(last.Records, all.Records[len(all.Records)-10:], equalRecords) {
		t.Errorf("%d passed, at %d, %d records, %v", last.Passed, last.Seq, len(last.Records), err)
	}
}

func TestArrivals_goBackWithTheDatabase(t *testing.T) {
	s, r := open(t)
	g := newGenerator(1)
	applyAll(t, s, g, stream1, g.entries(1, 100), 50)
	if _, err := s.Rewind(context.Background(), message.Checkpoint{StreamID: stream2}); err != nil {
		t.Fatal(err)
	}
	a, err := r.Arrivals(context.Background(), message.ArrivalsRequest{After: 100, Limit: 10})
	if err != nil || a.Seq != 0 || len(a.Records) != 0 {
		t.Errorf("at %d with %d records, %v", a.Seq, len(a.Records), err)
	}
	apply(t, s, batchOf(stream2, record(1, message.Message{ID: "new", From: "+1", To: "+2", TS: "2025-01-01T00:00:00Z"})))
	a, err = r.Arrivals(context.Background(), message.ArrivalsRequest{After: a.Seq, Limit: 10})
	if err != nil || a.Seq != 1 || len(a.Records) != 1 {
		t.Errorf("at %d with %d records, %v", a.Seq, len(a.Records), err)
	}
}
