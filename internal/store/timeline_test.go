package store

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/pkg/message"
)

func TestTimeline_countsWhatAModelCounts(t *testing.T) {
	for seed := range seeds(3) {
		g := newGenerator(seed)
		path := filepath.Join(t.TempDir(), "app.db")
		s, r := openStore(t, tiny(path)), openReader(t, path)
		entries := g.entries(1, 600)
		applyAll(t, s, g, stream1, entries, 100)
		m := model{stream: stream1}
		m.apply(stream1, entries...)
		for range 20 {
			var instants []time.Time
			for range 2 + g.IntN(6) {
				instants = append(instants, m.rows[g.IntN(len(m.rows))].at)
			}
			slices.SortFunc(instants, time.Time.Compare)
			from := pick(g, "", m.rows[g.IntN(len(m.rows))].From)
			got, err := r.Timeline(context.Background(), from, instants)
			if err != nil || got.Applied != 600 {
				t.Fatalf("at %d, %v", got.Applied, err)
			}
			var want []int64
			for i := range len(instants) - 1 {
				want = append(want, int64(len(m.sorted(message.Filter{From: from, Since: &instants[i], Until: &instants[i+1]}, false))))
			}
			if !slices.Equal(got.Counts, want) {
				t.Fatalf("seed %d, %q at %v:\n got %v\nwant %v", seed, from, instants, got.Counts, want)
			}
		}
	}
}

func TestTimeline_ofNothingIsNothing(t *testing.T) {
	_, r := open(t)
	for _, from := range []string{"", "+1"} {
		got, err := r.Timeline(context.Background(), from, []time.Time{time.Unix(0, 0), time.Now(), time.Now()})
		if err != nil || !slices.Equal(got.Counts, []int64{0, 0}) {
			t.Errorf("%v, %v", got, err)
		}
	}
}
