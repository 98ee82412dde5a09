package store

import (
	"sync"

	"github.com/FastFilter/xorfilter"
)

// A search block has a filter of its grams, a byte for each, which says "not here" or
// "perhaps here". A rare term begins with looking for its grams in every block: of ten
// million rows there are 153, and with the filters in memory nearly all of them need
// no look at the database.

// filterGram is the gram under which search_grams has the filter of a block: no text
// has a byte like its first. A block of a release without filters has none.
const filterGram = 0xffffff

// gramFilterFormat begins a filter: xorfilter's binary fuse filter with 8 bits a gram,
// as its Save writes it, over the grams as numbers.
const gramFilterFormat = 1

type gramFilter = xorfilter.BinaryFuse[uint8]

// encodeGramFilter returns the filter of some grams, or nil when it cannot be made: it
// is a help, and nothing is lost without.
func encodeGramFilter(grams []gramPlaces) []byte {
	if len(grams) == 0 {
		return nil
	}
	keys := make([]uint64, len(grams))
	for i, g := range grams {
		keys[i] = uint64(g.gram)
	}
	_, bits, err := makeFilter[uint8](keys)
	if err != nil {
		return nil
	}
	return append([]byte{gramFilterFormat}, bits...)
}

// decodeGramFilter undoes encodeGramFilter. It returns nil for what it does not know.
func decodeGramFilter(b []byte) *gramFilter {
	if len(b) == 0 || b[0] != gramFilterFormat {
		return nil
	}
	filter, err := loadFilter[uint8](b[1:])
	if err != nil {
		return nil
	}
	return filter
}

// gramFilters is what a reader keeps of the filters. Blocks do not change unless rows
// are removed.
type gramFilters struct {
	mu      sync.Mutex
	rewinds int64                 // state.rewinds of what is kept
	filters map[int64]*gramFilter // by block, nil for one without
}

// of returns the filter of a block, nil when it has none.
func (f *gramFilters) of(s *snapshot, block int64) (*gramFilter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.state.rewinds < f.rewinds {
		return nil, nil // of before what is kept
	}
	if s.state.rewinds > f.rewinds || f.filters == nil {
		f.rewinds, f.filters = s.state.rewinds, make(map[int64]*gramFilter)
	}
	if filter, ok := f.filters[block]; ok {
		return filter, nil
	}
	list, err := s.gramList(block, filterGram)
	if err != nil {
		return nil, err
	}
	f.filters[block] = decodeGramFilter(list)
	return f.filters[block], nil
}

// gramList returns what a block has under a gram, nil for nothing.
func (c *conn) gramList(block int64, gram uint32) ([]byte, error) {
	row, err := c.one("SELECT places FROM search_grams WHERE id = ?", block<<gramBits|int64(gram))
	if err != nil || row == nil {
		return nil, err
	}
	return blob(row[0]), nil
}
