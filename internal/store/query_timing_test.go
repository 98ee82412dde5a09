package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/pkg/message"
)

var benchmarkRows = flag.Int("rows", 100_000, "rows of the table that BenchmarkQuery asks")

// heavySender has a tenth of the rows of BenchmarkQuery's table.
const heavySender = "+10000000000"

// BenchmarkQuery asks a table of -rows rows and tells the median and the 99th of
// a hundred, in milliseconds.
func BenchmarkQuery(b *testing.B) {
	for _, t := range []traffic{
		{name: "ts_in_order", senders: 100_000, recipients: 20},
		{name: "scattered_ts", senders: 100_000, recipients: 20, scatter: 365 * 24 * time.Hour},
	} {
		b.Run(t.name, func(b *testing.B) { benchmarkQueries(b, &source{traffic: t}) })
	}
}

func benchmarkQueries(b *testing.B, src *source) {
	path := filepath.Join(b.TempDir(), "app.db")
	s := openStore(b, Config{Path: path})
	rows := uint64(*benchmarkRows)
	for src.seq < rows {
		batch := src.batch(benchmarkBatch)
		for i := range batch.Records {
			if i%10 == 0 {
				batch.Records[i].From = heavySender
			}
		}
		apply(b, s, batch)
	}
	start := time.Now()
	waitForIndex(b, s)
	b.Logf("the search index took %v more", time.Since(start))
	r := OpenReader(ReaderConfig{Path: path})
	b.Cleanup(func() { r.Close() })

	some := func() message.Message { return src.message(1 + rand.Uint64N(rows)) }
	instant := func() *time.Time {
		m := some()
		at := m.Instant()
		return &at
	}
	page := message.PageRequest{Limit: 50, Descending: true}
	for _, q := range []struct {
		name string
		with func(*message.PageRequest)
	}{
		{"first_page", func(*message.PageRequest) {}},
		{"since", func(r *message.PageRequest) { r.Since = instant() }},
		{"since_until", func(r *message.PageRequest) { r.Since, r.Until = instant(), instant() }},
		{"cursor", func(r *message.PageRequest) { r.After = &message.Position{At: *instant()} }},
		{"offset", func(r *message.PageRequest) { r.Offset = rand.IntN(int(rows)) }},
		{"from", func(r *message.PageRequest) { m := some(); r.From = m.From }},
		{"from_heavy", func(r *message.PageRequest) { r.From = heavySender }},
		{"from_heavy_since", func(r *message.PageRequest) { r.From, r.Since = heavySender, instant() }},
		{"from_heavy_offset", func(r *message.PageRequest) { r.From, r.Offset = heavySender, rand.IntN(int(rows/10)) }},
		{"to", func(r *message.PageRequest) { m := some(); r.To = m.To }},
		{"q_rare", func(r *message.PageRequest) { r.Text = fmt.Sprintf("%d: thank", rand.IntN(1_000_000)) }},
		{"q_absent", func(r *message.PageRequest) { r.Text = fmt.Sprintf("x%dq%dz", rand.IntN(1000), rand.IntN(1000)) }},
		{"q_one_percent", func(r *message.PageRequest) { r.Text = fmt.Sprintf("ORDER %d", 10+rand.IntN(90)) }},
		{"q_seventh", func(r *message.PageRequest) { r.Text = "DAMAGED" }},
		{"q_every", func(r *message.PageRequest) { r.Text = "order" }},
		{"q_two_letters", func(r *message.PageRequest) { r.Text = "qu" }},
		{"q_offset", func(r *message.PageRequest) { r.Text, r.Offset = "damaged", rand.IntN(int(rows/8)) }},
		{"q_since", func(r *message.PageRequest) { r.Text, r.Since = "damaged", instant() }},
		{"q_from", func(r *message.PageRequest) { m := some(); r.Text, r.From = "damaged", m.From }},
		{"q_from_heavy", func(r *message.PageRequest) { r.Text, r.From = fmt.Sprintf("order %d", 10+rand.IntN(90)), heavySender }},
		{"from_to", func(r *message.PageRequest) { m := some(); r.From, r.To = m.From, m.To }},
	} {
		b.Run(q.name, func(b *testing.B) {
			percentiles(b, func() error {
				req := page
				q.with(&req)
				_, err := r.Messages(b.Context(), req)
				return err
			})
		})
	}
	b.Run("by_id", func(b *testing.B) {
		percentiles(b, func() error {
			_, _, err := r.Message(b.Context(), some().ID)
			return err
		})
	})
	for _, q := range []struct {
		name   string
		filter message.Filter
	}{
		{"all", message.Filter{}},
		{"q_rare", message.Filter{Text: "77777: thank"}},
		{"q_every", message.Filter{Text: "order"}},
		{"to", message.Filter{To: src.message(1).To}},
	} {
		b.Run("export_"+q.name, func(b *testing.B) {
			for b.Loop() {
				exportAll(b, r, q.filter)
			}
		})
	}
	b.Run("stats", func(b *testing.B) {
		percentiles(b, func() error {
			_, err := r.Stats(b.Context())
			return err
		})
	})
	b.Run("applied", func(b *testing.B) {
		percentiles(b, func() error {
			_, err := r.Applied(b.Context())
			return err
		})
	})
}

// exportAll takes every stretch of a filter.
func exportAll(b *testing.B, r *Reader, filter message.Filter) {
	b.Helper()
	for req := (message.StretchRequest{Filter: filter, Limit: 500}); ; {
		st, err := r.Stretch(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		if req.After = st.Next; st.Next == nil {
			return
		}
	}
}

// percentiles calls f b.N times, but at least a thousand.
func percentiles(b *testing.B, f func() error) {
	b.Helper()
	var took []time.Duration
	began := time.Now()
	for n := 0; n < max(b.N, 1000) && (n < 20 || time.Since(began) < 10*time.Second); n++ {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
