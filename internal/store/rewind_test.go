package store

import (
	"errors"
	"slices"
	"testing"

	"sluice/pkg/message"
)

func TestRewind_isAsIfTheTailHadNeverCome(t *testing.T) {
	for seed := range seeds(8) {
		g := newGenerator(seed)
		s, r := open(t)
		var m model
		entries := g.entries(1, 500)
		applyAll(t, s, g, stream1, entries, 120)
		m.apply(stream1, entries...)

		waitForIndex(t, s)
		m.checkIDs(t, r, g) // the reader knows what is to go
		to := uint64(g.IntN(501))
		cp, err := s.LastAt(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		removed, err := s.Rewind(t.Context(), cp)
		if err != nil {
			t.Fatal(err)
		}
		if want := m.rewind(cp.Seq); removed != want {
			t.Errorf("seed %d: removed %d, want %d", seed, removed, want)
		}
		checkDatabase(t, s)
		m.checkAgainst(t, r, g, 50)

		more := g.entries(cp.Seq+1, 300)
		applyAll(t, s, g, stream1, more, 120)
		m.apply(stream1, more...)
		checkDatabase(t, s)
		m.checkAgainst(t, r, g, 50)
	}
}

func TestRewind_toAnotherStreamRestampsWhatComesAgain(t *testing.T) {
	for seed := range seeds(8) {
		g := newGenerator(seed)
		s, r := open(t)
		var m model
		streams := []string{stream1, stream2, stream1} // one comes back
		for i, id := range streams {
			from := uint64(g.IntN(5))
			if _, err := s.Rewind(t.Context(), message.Checkpoint{StreamID: id, Seq: from}); err != nil {
				t.Fatal(err)
			}
			m.stream, m.seq, m.letters = id+string(rune('a'+i)), from, nil
			entries := g.entries(from+1, 300)
			applyAll(t, s, g, id, entries, 80)
			m.apply(m.stream, entries...)
			checkDatabase(t, s)
			m.checkAgainst(t, r, g, 30)
			checkTail(t, s, &m)

			waitForIndex(t, s)
			// Lose the tail of this stream as well: restamped rows go with it.
			cp, err := s.LastAt(t.Context(), from+uint64(g.IntN(301)))
			if err != nil {
				t.Fatal(err)
			}
			removed, err := s.Rewind(t.Context(), message.Checkpoint{StreamID: id, Seq: cp.Seq, MsgID: cp.MsgID})
			if err != nil {
				t.Fatal(err)
			}
			if want := m.rewind(cp.Seq); removed != want {
				t.Errorf("seed %d: removed %d, want %d", seed, removed, want)
			}
			checkDatabase(t, s)
			checkTail(t, s, &m)
		}
	}
}

// checkTail compares LastAt and After with the model at every sequence.
func checkTail(t *testing.T, s *Store, m *model) {
	t.Helper()
	var rows []message.Record
	ids := make(map[uint64]string)
	var seqs []uint64
	for _, r := range m.rows {
		if r.stream == m.stream {
			rows = append(rows, r.Record)
			ids[r.Seq] = r.MsgID
			seqs = append(seqs, r.Seq)
		}
	}
	for _, d := range m.letters {
		seqs = append(seqs, d.Seq)
	}
	slices.Sort(seqs)
	slices.SortFunc(rows, func(a, b message.Record) int { return int(a.Seq) - int(b.Seq) })
	for seq := uint64(0); seq <= m.seq; seq += 7 {
		var want uint64
		for _, s := range seqs {
			if s <= seq {
				want = s
			}
		}
		got, err := s.LastAt(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if got.Seq != want || got.Seq != m.seq && got.MsgID != ids[want] {
			t.Errorf("last at %d is %+v, want %d %q", seq, got, want, ids[want])
		}
	}
	stop := errors.New("enough")
	for _, seq := range []uint64{0, m.seq / 2, m.seq} {
		var got []message.Record
		if err := s.After(t.Context(), seq, func(r message.Record) error {
			got = append(got, r)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(rows, func(r message.Record) bool { return r.Seq > seq })
		if i < 0 {
			i = len(rows)
		}
		if !slices.EqualFunc(got, rows[i:], equalRecords) {
			t.Errorf("after %d come %d records, want %d", seq, len(got), len(rows)-i)
		}
		if err := s.After(t.Context(), seq, func(message.Record) error { return stop }); i < len(rows) && !errors.Is(err, stop) {
			t.Errorf("After goes on after an error: %v", err)
		}
	}
}
