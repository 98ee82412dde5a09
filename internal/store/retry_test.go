package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"sluice/pkg/message"
)

// timeless are the rows and counters, whatever the order in which they came.
func timeless(t testing.TB, s *Store) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, sql := range []string{
		"SELECT message_id, from_msisdn, to_msisdn, ts, text, created_at, seq, source FROM messages ORDER BY message_id",
		"SELECT seq, msg_id, messages, senders, inserted, duplicates, conflicts, dead_letters FROM state",
		"SELECT * FROM senders ORDER BY msisdn", "SELECT * FROM top_senders ORDER BY msisdn",
		"SELECT seq, created_at, source, reason, data FROM dead_letters ORDER BY seq",
	} {
		lines = append(append(lines, sql), dump(t, s.conn, sql)...)
	}
	return lines
}

// TestRetryDeadLetters_asIfReadAtOnce: a store that could not read some entries,
// and then can, is a store that could from the beginning.
func TestRetryDeadLetters_asIfReadAtOnce(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			g := rand.New(rand.NewPCG(seed, 9))
			gen := newGenerator(seed)
			late, once := openStore(t, tiny(filepath.Join(t.TempDir(), "a.db"))), openStore(t, tiny(filepath.Join(t.TempDir(), "b.db")))
			unread := map[uint64]message.Record{}
			decode := func(d message.DeadLetter) message.Batch {
				if r, ok := unread[d.Seq]; ok {
					return message.Batch{Records: []message.Record{r}}
				}
				d.Reason = "no"
				return message.Batch{DeadLetters: []message.DeadLetter{d}}
			}
			ids := map[string]bool{}
			for seq := uint64(1); seq <= 200; seq++ {
				m := gen.message()
				for ids[m.ID] && !slices.ContainsFunc(gen.made, func(n message.Message) bool { return n.SameContent(&m) }) {
					m = gen.message() // which of two contents stays is another test's
				}
				ids[m.ID] = true
				var entry any = record(seq, m)
				switch g.IntN(12) {
				case 0:
					unread[seq] = record(seq, m)
					apply(t, late, batchOf(stream1, message.DeadLetter{Seq: seq, CreatedAt: accepted(seq), Source: "plain", Reason: "too new", Data: []byte("x")}))
					apply(t, once, batchOf(stream1, entry))
					continue
				case 1:
					entry = message.DeadLetter{Seq: seq, CreatedAt: accepted(seq), Source: "plain", Reason: "no", Data: []byte("y")}
				case 2:
					if _, err := late.RetryDeadLetters(t.Context(), []uint64{1 + g.Uint64N(seq)}, decode); err != nil {
						t.Fatal(err)
					}
				}
				apply(t, late, batchOf(stream1, entry))
				apply(t, once, batchOf(stream1, entry))
			}
			// The checkpoint knows the id of a letter only when it was read.
			last := record(201, gen.message())
			apply(t, late, batchOf(stream1, last))
			apply(t, once, batchOf(stream1, last))

			done, err := late.RetryDeadLetters(t.Context(), nil, decode)
			if err != nil || len(done.Remaining) == 0 || len(done.Unknown) > 0 {
				t.Fatalf("%+v, %v", done, err)
			}
			checkDatabase(t, late)
			got, want := timeless(t, late), timeless(t, once)
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("line %d differs:\n got %s\nwant %s", i, got[i], want[i])
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d lines, want %d", len(got), len(want))
			}
			more := record(202, message.Message{ID: "behind", From: "+1", To: "+2", TS: "2025-01-01T00:00:00Z"})
			apply(t, late, batchOf(stream1, more))
			apply(t, late, batchOf(stream1, more)) // redelivered
			if removed, err := late.Rewind(t.Context(), message.Checkpoint{StreamID: stream1, Seq: 201, MsgID: last.MsgID}); err != nil || removed != 1 {
				t.Errorf("removed %d: %v", removed, err)
			}
			checkDatabase(t, late)
		})
	}
}

func TestRetryDeadLetters_whatIsNotThere(t *testing.T) {
	s, _ := open(t)
	apply(t, s, batchOf(stream1, message.DeadLetter{Seq: 1, CreatedAt: accepted(1), Reason: "old", Data: []byte("x")}))
	done, err := s.RetryDeadLetters(t.Context(), []uint64{1, 7, 1}, func(d message.DeadLetter) message.Batch {
		d.Reason = "new"
		return message.Batch{DeadLetters: []message.DeadLetter{d}}
	})
	if err != nil || !slices.Equal(done.Unknown, []uint64{7}) || len(done.Remaining) != 1 || done.Remaining[0].Reason != "new" {
		t.Errorf("%+v, %v", done, err)
	}
	sameIn(t, s, "reasons", "SELECT reason FROM dead_letters", "SELECT 'new'")
}

func TestRetryDeadLetters_aLaterMessageKeepsTheID(t *testing.T) {
	s, _ := open(t)
	m := message.Message{ID: "a", From: "+1", To: "+2", TS: "2025-01-01T00:00:00Z"}
	other := m
	other.From = "+3"
	apply(t, s, batchOf(stream1, message.DeadLetter{Seq: 1, CreatedAt: accepted(1), Reason: "old", Data: []byte("x")}, record(2, other)))
	done, err := s.RetryDeadLetters(t.Context(), nil, func(message.DeadLetter) message.Batch {
		return message.Batch{Records: []message.Record{record(1, m)}}
	})
	if err != nil || len(done.Conflicts) != 1 || done.Conflicts[0].FirstSeq != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	sameIn(t, s, "rows", "SELECT seq, from_msisdn FROM messages", "SELECT 2, '+3'")
}

func TestDiscardDeadLetters(t *testing.T) {
	s, _ := open(t)
	for seq := uint64(1); seq <= 3; seq++ {
		apply(t, s, batchOf(stream1, message.DeadLetter{Seq: seq, CreatedAt: accepted(seq), Reason: "no", Data: []byte("x")}))
	}
	n, unknown, err := s.DiscardDeadLetters(t.Context(), []uint64{2, 9})
	if err != nil || n != 1 || !slices.Equal(unknown, []uint64{9}) {
		t.Errorf("%d, %v, %v", n, unknown, err)
	}
	sameIn(t, s, "letters", "SELECT seq FROM dead_letters ORDER BY seq", "VALUES (1), (3)")
	if n, _, err = s.DiscardDeadLetters(t.Context(), nil); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}
