package store

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
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

// Texts of two letters have every gram nearly everywhere: whether a term is there
// shows only when all of its bytes are looked at.
func TestSearch_looksAtEveryByteOfATerm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	config := tiny(path)
	config.search.blockRows, config.search.blockBytes = 100, 1<<20
	s, g := openStore(t, config), newGenerator(9)
	readers := []*Reader{openReader(t, path), OpenReader(ReaderConfig{Path: path, walkRows: 1})} // which read little and much of the lists
	defer readers[1].Close()
	var texts []string
	var entries []any
	for i := range 350 {
		texts = append(texts, g.letters("ab", g.IntN(150)))
		entries = append(entries, record(uint64(i+1), message.Message{ID: fmt.Sprint(i), From: "+1", To: "+2",
			TS: "2025-01-01T00:00:00Z", Text: text(texts[i])}))
	}
	apply(t, s, batchOf(stream1, entries...))
	waitForIndex(t, s)
	found := 0
	for range 500 {
		term := g.letters("ab", 6+g.IntN(15))
		if of := texts[g.IntN(len(texts))]; g.IntN(2) == 0 && len(of) > 3 {
			start := g.IntN(len(of) - 3)
			b := []byte(of[start : start+3+g.IntN(len(of)-start-2)])
			if g.IntN(2) == 0 { // all but one byte is there
				b[g.IntN(len(b))] ^= 'a' ^ 'b'
			}
			term = string(b)
		}
		var want int64
		for _, text := range texts {
			if strings.Contains(text, term) {
				want++
			}
		}
		for _, r := range readers {
			page, err := r.Messages(t.Context(), message.PageRequest{Filter: message.Filter{Text: term}, Limit: 1})
			if err != nil || page.Total != want {
				t.Fatalf("%q is in %d texts, found in %d (%v)", term, want, page.Total, err)
			}
		}
		if want > 0 {
			found++
		}
	}
	if found < 100 || found > 470 {
		t.Errorf("%d terms were there", found)
	}
}

func TestSearch_forgetsBlocksOfAnotherCaseFolding(t *testing.T) {
	path, g := filepath.Join(t.TempDir(), "app.db"), newGenerator(6)
	s, m := indexed(t, path, g)
	r := openReader(t, path)
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

// A term is found where a plain search finds it first, however rare its bytes are and
// whatever texts are gone from before it.
func TestTailSearch_index(t *testing.T) {
	g := newGenerator(1)
	for round := range 2000 {
		tail := &textTail{}
		long := 0
		if round%50 == 0 {
			long = 10 * tailChunkBytes
		}
		for rid := int64(1); len(tail.text) < long || rid < 10; rid++ {
			tail.add(textRow{hit: hit{rid: rid}, text: g.letters("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbc", g.IntN(200+long/1000))})
		}
		for range 3 {
			for range 5 {
				term, rows := g.letters("aaabcd", 1+g.IntN(6)), len(tail.rows)
				first := g.IntN(rows)
				start, end := tail.rows[first].start, tail.endOf(first+g.IntN(rows-first))
				search := tail.searchFor(term)
				for n := 0; start < end; n++ {
					got, want := search.index(start, end), bytes.Index(tail.text[start:end], []byte(term))
					if got != want {
						t.Fatalf("round %d: %q from %d to %d of %d: at %d, want %d", round, term, start, end, len(tail.text), got, want)
					}
					if want < 0 || n == 20 {
						break
					}
					start = tail.endOf(sort.Search(rows-1, func(i int) bool { return tail.rows[i+1].start > start+want }))
				}
			}
			if drop := len(tail.rows)/2 + 1; drop < len(tail.rows) {
				tail.drop(drop)
			}
		}
	}
}
