package store

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/FastFilter/xorfilter"
)

func TestLoadFilter(t *testing.T) {
	t.Run("8 bits", testLoadFilter[uint8])
	t.Run("16 bits", testLoadFilter[uint16])
}

// testLoadFilter damages a filter: what is loaded all the same can be asked for anything.
func testLoadFilter[T xorfilter.Unsigned](t *testing.T) {
	for _, n := range []int{1, 2, 10, 3000} {
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = uint64(i) * 0x9e3779b97f4a7c15
		}
		_, whole, err := makeFilter[T](keys)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(b []byte) (known int, err error) {
			f, err := loadFilter[T](b)
			if err != nil {
				return 0, err
			}
			for i := range uint64(10_000) {
				f.Contains(i)
			}
			for i := range n {
				if f.Contains(uint64(i) * 0x9e3779b97f4a7c15) {
					known++
				}
			}
			return known, nil
		}

		if known, err := ask(whole); err != nil || known != n {
			t.Fatalf("%d of %d keys, %v", known, n, err)
		}
		for bit := range 8 * 28 {
			b := bytes.Clone(whole)
			b[bit/8] ^= 1 << (bit % 8)
			if _, err := ask(b); err == nil && bit >= 8*8 { // another seed is as good
				t.Errorf("bit %d of the header does not matter", bit)
			}
		}
		for length := range min(len(whole), 100) {
			if _, err := ask(whole[:length]); err == nil {
				t.Errorf("%d of %d bytes do", length, len(whole))
			}
		}
		if _, err := ask(append(whole, 0)); err == nil {
			t.Error("a byte more does")
		}
	}
}

// TestSearch_needsNoFilter: what is found depends neither on whether blocks have a
// filter of their grams nor on what is left of it.
func TestSearch_needsNoFilter(t *testing.T) {
	path, g := filepath.Join(t.TempDir(), "app.db"), newGenerator(8)
	s, m := indexed(t, path, g)
	checkDatabase(t, s)
	const filters = "id & 0xffffff = 0xffffff"
	sameIn(t, s, "blocks with a filter", "SELECT id >> 24 FROM search_grams WHERE "+filters+" ORDER BY 1", "SELECT block FROM search_blocks ORDER BY 1")
	m.checkAgainst(t, openReader(t, path), g, 40)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		"UPDATE search_grams SET places = CAST(x'00' || substr(places, 2) AS BLOB) WHERE " + filters, // another format
		"UPDATE search_grams SET places = substr(places, 1, 20) WHERE " + filters,
		"UPDATE search_grams SET places = x'' WHERE " + filters,
		"DELETE FROM search_grams WHERE " + filters,
	} {
		execute(t, path, change)
		m.checkAgainst(t, openReader(t, path), g, 40)
	}
}

// TestGramFilter_saysNotHere: a filter that says "perhaps" to everything is no help.
func TestGramFilter_saysNotHere(t *testing.T) {
	for _, n := range []int{1, 2, 50, 30_000} {
		grams := make([]gramPlaces, n)
		for i := range grams {
			grams[i].gram = uint32(i) * 7
		}
		filter := decodeGramFilter(encodeGramFilter(grams))
		if filter == nil {
			t.Fatalf("no filter of %d grams", n)
		}
		perhaps := 0
		for i := range n {
			if !filter.Contains(uint64(i) * 7) {
				t.Fatalf("%d grams: not the one of %d", n, i)
			}
			for _, absent := range []uint64{uint64(i)*7 + 3, uint64(i)*7 + 4} {
				if filter.Contains(absent) {
					perhaps++
				}
			}
		}
		if perhaps > 2+2*n/50 {
			t.Errorf("of %d grams that are not there it says perhaps to %d", 2*n, perhaps)
		}
	}
	if filter := encodeGramFilter(nil); filter != nil {
		t.Errorf("no grams, but a filter: %x", filter)
	}
}
