package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"sluice/pkg/message"
)

// tiny makes a few hundred rows fill many segments, buckets and groups.
func tiny(path string) Config {
	return Config{
		Path:        path,
		segmentBits: 5,
		sizes:       rankSizes{bucketRows: 8, groupBuckets: 4, plainRows: 12},
		search:      searchConfig{blockRows: 40, blockBytes: 500, quiet: time.Microsecond, backlog: 100, stepsAtOnce: 1},
	}
}

// openStore opens a store that the test closes.
func openStore(t testing.TB, config Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openReader(t testing.TB, path string) *Reader {
	t.Helper()
	r := OpenReader(ReaderConfig{Path: path, walkRows: 20, deepSkip: 5, readBytes: 50, stretchRows: 30})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// open opens a tiny store in a new directory, and a reader of it.
func open(t testing.TB) (*Store, *Reader) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	return openStore(t, tiny(path)), openReader(t, path)
}

// waitForIndex returns once the search index has every block that it can.
func waitForIndex(t testing.TB, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		mark, err := s.searchMark(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !mark.enough {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the search index does not follow: %+v", mark)
		}
	}
}

func apply(t testing.TB, s *Store, b message.Batch) message.Applied {
	t.Helper()
	applied, err := s.Apply(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

const stream1, stream2 = "WEBHOOKS@2025-01-01T00:00:00Z", "WEBHOOKS@2026-01-01T00:00:00Z"

// accepted is when the stream accepted an entry.
func accepted(seq uint64) time.Time {
	return time.Date(2025, 1, 1, 0, 0, 0, 123456789, time.UTC).Add(time.Duration(seq) * time.Millisecond)
}

func record(seq uint64, m message.Message) message.Record {
	return message.Record{Message: m, Seq: seq, CreatedAt: accepted(seq), Source: "plain", MsgID: message.HeaderID(m.ID)}
}

// batchOf is a batch of entries that ends at its last one.
func batchOf(streamID string, entries ...any) message.Batch {
	b := message.Batch{Checkpoint: message.Checkpoint{StreamID: streamID}}
	for _, e := range entries {
		switch e := e.(type) {
		case message.Record:
			b.Records = append(b.Records, e)
			b.Checkpoint.Seq, b.Checkpoint.MsgID = e.Seq, e.MsgID
		case message.StatusRecord:
			b.Statuses = append(b.Statuses, e)
			b.Checkpoint.Seq, b.Checkpoint.MsgID = e.Seq, e.MsgID(e.Source)
		case message.DeadLetter:
			b.DeadLetters = append(b.DeadLetters, e)
			b.Checkpoint.Seq, b.Checkpoint.MsgID = e.Seq, ""
		default:
			panic(fmt.Sprintf("entry of type %T", e))
		}
	}
	return b
}

// generator makes messages that meet in all that queries look at.
type generator struct {
	*rand.Rand
	senders, recipients int
	instants            int // different ones, few make many equal
	made                []message.Message
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), senders: 6, recipients: 3, instants: 200}
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

func (g *generator) msisdn(n int) string { return fmt.Sprintf("+%d", 100+g.IntN(n)*g.IntN(n)) }

// ts writes one of the generator's instants in one of its precisions.
func (g *generator) ts() string {
	at := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	switch i := g.IntN(g.instants); {
	case i == 0:
		at = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case i == 1:
		at = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	case i == 2:
		at = time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC)
	default:
		at = at.Add(time.Duration(i) * 333333333)
	}
	layout := "2006-01-02T15:04:05"
	if digits := g.IntN(10); digits > 0 {
		layout += "." + "000000000"[:digits]
	}
	return at.Format(layout + "Z")
}

func (g *generator) id() string {
	n := g.IntN(1 << 30)
	return pick(g, fmt.Sprintf("id-%d", n), fmt.Sprintf("%x\x00%x", n, n), fmt.Sprintf("é%d ", n), fmt.Sprintf("\n%d", n))
}

// letters returns a text of n letters out of some.
func (g *generator) letters(of string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = of[g.IntN(len(of))]
	}
	return string(b)
}

func (g *generator) text() *string {
	words := []string{"Hello", "STRASSE", "straße", "İstanbul", "istanbul", "100%", "a_b", "ΣΊΣΥΦΟΣ", "σίσυφος", "日本語", "x", ""}
	if g.IntN(8) == 0 {
		return nil
	}
	text := ""
	for range g.IntN(4) {
		text += pick(g, words...) + pick(g, " ", "", "-")
	}
	return &text
}

// message makes a new message, or now and then one that was made before, perhaps
// with another content.
func (g *generator) message() message.Message {
	if len(g.made) > 0 && g.IntN(10) == 0 {
		m := g.made[g.IntN(len(g.made))]
		if g.IntN(2) == 0 {
			m.Text = g.text()
		}
		return m
	}
	m := message.Message{ID: g.id(), From: g.msisdn(g.senders), To: g.msisdn(g.recipients), TS: g.ts(), Text: g.text()}
	g.made = append(g.made, m)
	return m
}

// entries makes n entries from seq on, a few of them dead letters.
func (g *generator) entries(seq uint64, n int) []any {
	entries := make([]any, n)
	for i := range entries {
		if g.IntN(50) == 0 {
			entries[i] = message.DeadLetter{Seq: seq, CreatedAt: accepted(seq), Source: "plain", Reason: "no", Data: []byte{1, 0}}
		} else {
			entries[i] = record(seq, g.message())
		}
		seq++
	}
	return entries
}

// applyAll applies entries in batches of random sizes.
func applyAll(t testing.TB, s *Store, g *generator, streamID string, entries []any, maxBatch int) {
	t.Helper()
	for len(entries) > 0 {
		n := min(1+g.IntN(maxBatch), len(entries))
		apply(t, s, batchOf(streamID, entries[:n]...))
		entries = entries[n:]
	}
}
