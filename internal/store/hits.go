package store

import (
	"cmp"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
)

// hits are rows that match, in order: those of one search block, or a list.
type hits struct {
	minUS, maxUS int64 // bounds of their instants

	block    int64
	firstRID int64
	places   []uint32 // rows of the block
	rids     []byte   // of all rows of the block, nil until the first is needed
	times    []byte   // likewise

	list []hit // instead of the block's
}

// hit is a row that matches.
type hit struct {
	rid int64
	key key
}

// hitList returns hits of a list in any order.
func hitList(list []hit) *hits {
	h := &hits{minUS: math.MaxInt64, maxUS: math.MinInt64, list: list}
	slices.SortFunc(list, func(a, b hit) int { return cmp.Compare(a.key, b.key) })
	if len(list) > 0 {
		h.minUS, h.maxUS = list[0].key.us(), list[len(list)-1].key.us()
	}
	return h
}

func (h *hits) len() int { return len(h.places) + len(h.list) }

// row reads hit i.
func (h *hits) row(s *snapshot, i int) (row, error) {
	rid, err := h.rid(s, i)
	if err != nil {
		return row{}, err
	}
	values, err := s.one("SELECT "+recordColumns+" FROM messages r WHERE rid = ?", rid)
	if err != nil {
		return row{}, err
	}
	if values == nil {
		return row{}, fmt.Errorf("%w: the search index has row %d, which is not there", ErrDamaged, rid)
	}
	return row{recordOf(values), keyOf(values)}, nil
}

// rid returns the row of hit i.
func (h *hits) rid(s *snapshot, i int) (int64, error) {
	if h.list != nil {
		return h.list[i].rid, nil
	}
	if h.rids == nil && len(h.places) <= fewPlaces { // not worth reading all
		one, err := h.read(s, "substr(rids, ?2, 4)", 4*int64(h.places[i])+1)
		if err != nil {
			return 0, err
		}
		if len(one) == 4 {
			return h.firstRID + int64(binary.LittleEndian.Uint32(one)), nil
		}
	}
	if err := h.readColumn(s, "rids", 4, &h.rids); err != nil {
		return 0, err
	}
	return h.firstRID + int64(binary.LittleEndian.Uint32(h.rids[4*h.places[i]:])), nil
}

// readTimes makes us answer.
func (h *hits) readTimes(s *snapshot) error {
	if h.list != nil {
		return nil
	}
	return h.readColumn(s, "times", 8, &h.times)
}

// us returns the microseconds of hit i, after readTimes.
func (h *hits) us(i int) int64 {
	if h.list != nil {
		return h.list[i].key.us()
	}
	return int64(binary.LittleEndian.Uint64(h.times[8*h.places[i]:]))
}

// readColumn reads what the block knows of its rows, width bytes of each, once.
func (h *hits) readColumn(s *snapshot, column string, width int, into *[]byte) error {
	if *into != nil {
		return nil
	}
	all, err := h.read(s, column)
	if err != nil {
		return err
	}
	if int(h.places[len(h.places)-1]) >= len(all)/width {
		return fmt.Errorf("%w: search block %d has no %s for a row", ErrDamaged, h.block, column)
	}
	*into = all
	return nil
}

// read returns a value of the block's row, nil when there is none. args are ?2 and on.
func (h *hits) read(s *snapshot, value string, args ...driver.Value) ([]byte, error) {
	row, err := s.one("SELECT "+value+" FROM search_blocks WHERE block = ?1", append([]driver.Value{h.block}, args...)...)
	if err != nil || row == nil {
		return nil, err
	}
	return blob(row[0]), nil
}

// cut leaves the hits inside a span.
func (h *hits) cut(s *snapshot, in span) error {
	if h.len() == 0 || h.minUS > in.lo.us() && h.maxUS < in.hi.us() {
		return nil
	}
	from, err := h.before(s, in.lo)
	if err != nil {
		return err
	}
	to, err := h.before(s, in.hi)
	if err != nil {
		return err
	}
	to = max(from, to)
	if h.list != nil {
		h.list = h.list[from:to]
	} else {
		h.places = h.places[from:to]
	}
	return nil
}

// before returns how many hits lie before k. It reads the rows of the same
// microsecond, some of them.
func (h *hits) before(s *snapshot, k key) (int, error) {
	if err := h.readTimes(s); err != nil {
		return 0, err
	}
	us := k.us()
	lo := sort.Search(h.len(), func(i int) bool { return h.us(i) >= us })
	hi := lo + sort.Search(h.len()-lo, func(i int) bool { return h.us(lo+i) > us })
	for lo < hi {
		mid := (lo + hi) / 2
		r, err := h.row(s, mid)
		if err != nil {
			return 0, err
		}
		if r.key < k {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}
