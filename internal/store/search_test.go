package store

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/pkg/message"
)

func TestSearch_findsTheSameInAndBehindTheIndex(t *testing.T) {
	for _, blockRows := range []int{1, 30, 1 << 20} {
		path := filepath.Join(t.TempDir(), "app.db")
		config := tiny(path)
		config.search.blockRows, config.search.blockBytes = blockRows, 1<<20
		s, r := openStore(t, config), openReader(t, path)
		g := newGenerator(4)
		var m model
		entries := g.entries(1, 200)
		entries = append(entries, record(201, message.Message{ID: "long", From: "+1", To: "+2", TS: "2025-01-01T00:00:00Z",
			Text: text(strings.Repeat("ΐ", message.MaxTextCharacters) + "end")}))
		apply(t, s, batchOf(stream1, entries...))
		m.apply(stream1, entries...)
		waitForIndex(t, s)
		for _, term := range []string{"h", "he", "hel", "ello", "hello-", "İ", "ı", "ß", "日", "本語", "100%", "ΐe", "end", "σίσυφος", "σίσυφος ", "\x00", "nd\x00"} {
			req := message.PageRequest{Filter: message.Filter{Text: term}, Limit: 100}
			page, err := r.Messages(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if want := m.page(req); !equalPages(page, want) {
				t.Errorf("blocks of %d rows: %q found %d, want %d", blockRows, term, page.Total, want.Total)
			}
		}
	}
}

func TestSearch_forgetsBlocksOfAnotherCaseFolding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	s, r := openStore(t, tiny(path)), openReader(t, path)
	g := newGenerator(6)
	var m model
	entries := g.entries(1, 300)
	apply(t, s, batchOf(stream1, entries...))
	m.apply(stream1, entries...)
	waitForIndex(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// As a program with another version would have left it: its grams are of no use.
	execute(t, path, "UPDATE search_blocks SET unicode = '1.0.0'; UPDATE search_grams SET places = x'00'")
	m.checkAgainst(t, r, g, 50)
	s = openStore(t, tiny(path))
	m.checkAgainst(t, r, g, 50)
	waitForIndex(t, s)
	m.checkAgainst(t, r, g, 50)
}

func TestSearchCache_forgetsWhatWasUsedLongestAgo(t *testing.T) {
	c := searchCache{limit: 700}
	for _, term := range []string{"a", "b", "c"} {
		c.put(1, term, 7, make([]uint32, 50))
		c.get(1, "a", 7)
	}
	_, a := c.get(1, "a", 7)
	_, b := c.get(1, "b", 7)
	if rows, ok := c.get(1, "c", 7); !a || b || !ok || len(rows) != 50 {
		t.Errorf("remembers a: %v, b: %v, c: %v", a, b, ok)
	}
	c.put(1, "huge", 1, make([]uint32, 5000))
	if _, ok := c.get(1, "huge", 1); ok || c.bytes != 0 || len(c.terms) != 0 {
		t.Errorf("remembers %d bytes of %d terms after one too large for it", c.bytes, len(c.terms))
	}

	c.put(1, "a", 1, []uint32{1})
	c.put(2, "b", 1, []uint32{2})
	c.put(1, "late", 1, []uint32{3})
	_, old := c.get(1, "a", 1)
	_, late := c.get(2, "late", 1)
	if rows, ok := c.get(2, "b", 1); old || late || !ok || !slices.Equal(rows, []uint32{2}) {
		t.Errorf("after rows were removed it remembers %v %v %v", old, late, rows)
	}
}

// A term is found where a plain search finds it first, however rare its bytes are.
func TestTextTail_index(t *testing.T) {
	g := newGenerator(1)
	letters := func(of string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = of[g.IntN(len(of))]
		}
		return string(b)
	}
	for range 2000 {
		tail := &textTail{text: []byte(letters("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbc", g.IntN(200)))}
		tail.count(tail.text, 1)
		start := g.IntN(len(tail.text) + 1)
		end := start + g.IntN(len(tail.text)-start+1)
		term := letters("aaabcd", 1+g.IntN(4))
		if got, want := tail.index(start, end, term), bytes.Index(tail.text[start:end], []byte(term)); got != want {
			t.Fatalf("%q in %q from %d to %d: at %d, want %d", term, tail.text, start, end, got, want)
		}
	}
}
