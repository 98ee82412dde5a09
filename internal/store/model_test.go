package store

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/pkg/message"
)

// model is what a store should hold, kept the simplest way.
type model struct {
	stream   string
	seq      uint64
	rows     []modelRow
	letters  []message.DeadLetter
	outcomes message.Outcomes
}

type modelRow struct {
	message.Record
	stream string
	at     time.Time
	folded string
}

func (m *model) row(r message.Record) modelRow {
	row := modelRow{Record: r, stream: m.stream, at: r.Instant()}
	if r.Text != nil {
		row.folded = fold(*r.Text)
	}
	return row
}

func (m *model) apply(streamID string, entries ...any) {
	m.stream = streamID
	for _, e := range entries {
		switch e := e.(type) {
		case message.DeadLetter:
			m.seq = e.Seq
			m.letters = append(m.letters, e)
			m.outcomes.DeadLetters++
		case message.Record:
			m.seq = e.Seq
			m.record(e)
		}
	}
}

func (m *model) record(r message.Record) {
	i := slices.IndexFunc(m.rows, func(old modelRow) bool { return old.ID == r.ID })
	switch {
	case i < 0:
		m.rows = append(m.rows, m.row(r))
		m.outcomes.Inserted++
	case !m.rows[i].SameContent(&r.Message):
		m.outcomes.Conflicts++
	default:
		if m.rows[i].stream != m.stream {
			m.rows[i] = m.row(r)
		}
		m.outcomes.Duplicates++
	}
}

func (m *model) rewind(seq uint64) (removed int) {
	before := len(m.rows) + len(m.letters)
	m.rows = slices.DeleteFunc(m.rows, func(r modelRow) bool { return r.stream == m.stream && r.Seq > seq })
	m.letters = slices.DeleteFunc(m.letters, func(d message.DeadLetter) bool { return d.Seq > seq })
	m.seq = seq
	return before - len(m.rows) - len(m.letters)
}

// sorted returns the rows that match in the order of answers.
func (m *model) sorted(f message.Filter, descending bool) []modelRow {
	var rows []modelRow
	term := fold(f.Text)
	for _, r := range m.rows {
		if (f.From == "" || r.From == f.From) && (f.To == "" || r.To == f.To) &&
			(f.Since == nil || !r.at.Before(*f.Since)) && (f.Until == nil || r.at.Before(*f.Until)) &&
			(term == "" || strings.Contains(r.folded, term)) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b modelRow) int { return a.compare(b.at, b.ID) })
	if descending {
		slices.Reverse(rows)
	}
	return rows
}

func (r *modelRow) compare(at time.Time, id string) int {
	return cmp.Or(r.at.Compare(at), strings.Compare(r.ID, id))
}

// page answers a request from the sorted rows.
func (m *model) page(req message.PageRequest) message.Page {
	rows := m.sorted(req.Filter, req.Descending)
	page := message.Page{Total: int64(len(rows)), Applied: m.seq}
	if p := req.After; p != nil {
		rows = slices.DeleteFunc(rows, func(r modelRow) bool {
			c := r.compare(p.At, p.ID)
			if req.Descending {
				c = -c
			}
			return c <= 0
		})
	}
	rows = rows[min(req.Offset, len(rows)):]
	n := min(req.Limit, len(rows))
	for _, r := range rows[:n] {
		page.Records = append(page.Records, r.Record)
	}
	if n > 0 && n < len(rows) {
		page.Next = &message.Position{At: rows[n-1].at, ID: rows[n-1].ID}
	}
	return page
}

func (m *model) stats() message.Stats {
	st := message.Stats{Messages: int64(len(m.rows)), Applied: m.seq}
	counts := make(map[string]int64)
	for _, r := range m.rows {
		counts[r.From]++
	}
	for from, n := range counts {
		st.Top = append(st.Top, message.SenderCount{From: from, Count: n})
	}
	st.Senders = int64(len(counts))
	slices.SortFunc(st.Top, func(a, b message.SenderCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.From, b.From))
	})
	st.Top = st.Top[:min(len(st.Top), message.TopSenders)]
	if rows := m.sorted(message.Filter{}, false); len(rows) > 0 {
		st.FirstTS, st.LastTS = &rows[0].TS, &rows[len(rows)-1].TS
	}
	return st
}

// request makes up a request that has a fair chance to match something.
func (m *model) request(g *generator) message.PageRequest {
	req := message.PageRequest{Descending: g.IntN(2) == 0, Limit: 1 + g.IntN(20)}
	some := func() message.Record {
		if len(m.rows) == 0 {
			return record(1, g.message())
		}
		return m.rows[g.IntN(len(m.rows))].Record
	}
	if g.IntN(3) == 0 {
		req.From = some().From
	}
	if g.IntN(3) == 0 {
		req.To = some().To
	}
	if g.IntN(3) == 0 {
		r := some()
		at := r.Instant()
		req.Since = &at
	}
	if g.IntN(3) == 0 {
		r := some()
		at := r.Instant()
		req.Until = &at
	}
	if g.IntN(4) == 0 {
		req.Text = pick(g, "hello", "STRASSE", "ss", "istanbul", "İ", "%", "_", "0%", "σίσυφος", "ς", "本", "nowhere", "e", " ", "lo-")
	}
	if g.IntN(3) == 0 {
		req.Offset = g.IntN(len(m.rows) + 2)
	}
	if g.IntN(3) == 0 {
		r := some()
		req.After = &message.Position{At: r.Instant(), ID: r.ID}
	}
	return req
}

// indexed makes a database of 300 entries, which the search index has as well, and
// returns the model of it.
func indexed(t *testing.T, path string, g *generator) (*Store, *model) {
	t.Helper()
	s, m, entries := openStore(t, tiny(path)), &model{}, g.entries(1, 300)
	apply(t, s, batchOf(stream1, entries...))
	m.apply(stream1, entries...)
	waitForIndex(t, s)
	return s, m
}

// checkAgainst compares everything a reader answers with the model. -short, as the
// race detector runs, makes a third of the requests: what they find is found without it.
func (m *model) checkAgainst(t *testing.T, r *Reader, g *generator, requests int) {
	t.Helper()
	if testing.Short() {
		requests = (requests + 2) / 3
	}
	for range requests {
		req := m.request(g)
		got, err := r.Messages(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if want := m.page(req); !equalPages(got, want) {
			t.Fatalf("request %+v:\n got %+v\nwant %+v", req, got, want)
		}
	}
	for range max(1, requests/25) {
		m.checkStretches(t, r, m.request(g))
	}
	m.checkIDs(t, r, g)
	st, err := r.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := m.stats(); !equalStats(st, want) {
		t.Fatalf("stats:\n got %+v\nwant %+v", st, want)
	}
}

// checkIDs looks the generator's messages up one by one.
func (m *model) checkIDs(t *testing.T, r *Reader, g *generator) {
	t.Helper()
	rows := map[string]modelRow{}
	for _, row := range m.rows {
		rows[row.ID] = row
	}
	for _, made := range g.made {
		want, there := rows[made.ID]
		got, _, err := r.Message(t.Context(), made.ID)
		switch {
		case !there && errors.Is(err, message.ErrNotFound):
		case err != nil || !there:
			t.Fatalf("message %q, which is there: %t: %v", made.ID, there, err)
		case got.Seq != want.Seq || !got.SameContent(&want.Message):
			t.Fatalf("message %q:\n got %+v\nwant %+v", made.ID, got, want)
		}
	}
}

// checkStretches compares what all stretches of a filter give together.
func (m *model) checkStretches(t *testing.T, r *Reader, like message.PageRequest) {
	t.Helper()
	want := m.page(message.PageRequest{Filter: like.Filter, Descending: like.Descending, After: like.After, Limit: len(m.rows)}).Records
	req := message.StretchRequest{Filter: like.Filter, Descending: like.Descending, After: like.After, Limit: like.Limit}
	var got []message.Record
	for stretches := 0; ; stretches++ {
		st, err := r.Stretch(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Records) > req.Limit || st.Applied != m.seq || stretches > 2*len(m.rows) {
			t.Fatalf("request %+v, stretch %d: %+v", req, stretches, st)
		}
		got = append(got, st.Records...)
		if st.Next == nil {
			break
		}
		req.After = st.Next
	}
	if !slices.EqualFunc(got, want, equalRecords) {
		t.Fatalf("request %+v:\n got %+v\nwant %+v", like, got, want)
	}
}

func equalPages(a, b message.Page) bool {
	return a.Total == b.Total && a.Applied == b.Applied && (a.Next == nil) == (b.Next == nil) &&
		(a.Next == nil || a.Next.At.Equal(b.Next.At) && a.Next.ID == b.Next.ID) &&
		slices.EqualFunc(a.Records, b.Records, equalRecords)
}

func equalRecords(a, b message.Record) bool {
	return a.SameContent(&b.Message) && a.Seq == b.Seq && a.CreatedAt.Equal(b.CreatedAt) && a.Source == b.Source
}

func equalStats(a, b message.Stats) bool {
	equal := func(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	// Different texts of one instant may stand for either end; ids decide, as in the model.
	return a.Messages == b.Messages && a.Senders == b.Senders && slices.Equal(a.Top, b.Top) &&
		equal(a.FirstTS, b.FirstTS) && equal(a.LastTS, b.LastTS) && a.Applied == b.Applied
}
