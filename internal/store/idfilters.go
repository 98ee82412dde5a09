package store

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"sync"

	"github.com/FastFilter/xorfilter"
	"github.com/zeebo/xxh3"
)

// filterFormat is the version of id_filters.bits: xorfilter's binary fuse filter
// with 16 bits an id, as its Save writes it, over XXH3 of the id with the
// database's seed.
const filterFormat = 1

type idFilter = xorfilter.BinaryFuse[uint16]

func hashID(id string, seed uint64) uint64 { return xxh3.HashStringSeed(id, seed) }

// loadFilters reads the filters of the sealed segments behind seg into filters.
func loadFilters(c *conn, seg int64, filters map[int64]*idFilter) error {
	return c.query("SELECT seg, format, bits FROM id_filters WHERE seg > ?", func(row []driver.Value) error {
		if format := integer(row[1]); format != filterFormat {
			return fmt.Errorf("%w: filter of segment %d has format %d", ErrDamaged, row[0], format)
		}
		filter, err := loadFilter[uint16](blob(row[2]))
		if err != nil {
			return fmt.Errorf("%w: filter of segment %d: %w", ErrDamaged, row[0], err)
		}
		filters[integer(row[0])] = filter
		return nil
	}, seg)
}

// readFilters is what a reader keeps of the filters, 2.3 bytes an id: with them an id
// is looked up in one segment or two, without them in each. Sealed segments do not
// change unless rows are removed.
type readFilters struct {
	mu      sync.Mutex
	rewinds int64 // state.rewinds of what is kept
	seed    uint64
	filters map[int64]*idFilter // nil before the first look
	last    int64               // the highest segment that has one, -1 while none has
}

// perhaps returns the segments that may have an id, the newest first.
func (f *readFilters) perhaps(s *snapshot, id string) (segs []int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.filters != nil && s.state.rewinds < f.rewinds {
		return s.segmentsBehind(-1) // of before what the filters know
	}
	if err := f.update(s); err != nil {
		return nil, err
	}
	if segs, err = s.segmentsBehind(f.last); err != nil {
		return nil, err
	}
	hash, open := hashID(id, f.seed), len(segs)
	for seg, filter := range f.filters {
		if filter.Contains(hash) {
			segs = append(segs, seg)
		}
	}
	slices.Sort(segs[open:])
	slices.Reverse(segs[open:])
	return segs, nil
}

// update reads the filters that are new. The lock is held.
func (f *readFilters) update(s *snapshot) error {
	if f.filters == nil || f.rewinds != s.state.rewinds {
		meta, err := s.one("SELECT hash_seed FROM meta")
		if err != nil {
			return err
		}
		if meta == nil {
			return fmt.Errorf("%w: no row in meta", ErrDamaged)
		}
		f.rewinds, f.seed, f.filters, f.last = s.state.rewinds, uint64(integer(meta[0])), make(map[int64]*idFilter), -1
	}
	if err := loadFilters(s.conn, f.last, f.filters); err != nil {
		f.filters = nil
		return err
	}
	for seg := range f.filters {
		f.last = max(f.last, seg)
	}
	return nil
}

// segmentsBehind returns the segments above seg that have rows, the highest first.
func (s *snapshot) segmentsBehind(seg int64) (segs []int64, err error) {
	err = s.query("SELECT seg FROM segments WHERE seg > ? ORDER BY seg DESC", func(row []driver.Value) error {
		segs = append(segs, integer(row[0]))
		return nil
	}, seg)
	return segs, err
}
