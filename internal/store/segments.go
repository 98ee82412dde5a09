package store

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/FastFilter/xorfilter"
)

// A segment is a piece of the rows in order of arrival. Every index begins with
// it, so that new rows go to the end of the table and to the open segment's part
// of each index, however their ids, senders and instants are scattered. What was
// written before, the sealed segments, is only read.
//
// An id must still be unique over all segments. For each sealed segment there is
// a filter that says "not here" or "perhaps here"; for the open one the hashes of
// its ids are kept in memory. Only where the answer is "perhaps", one time in
// 65,536 for each filter, the segment's index is asked.
//
// Of ten million rows there are 153 filters, and to ask them all takes longer than
// anything else that grows with the table. So the filters of segments that were sealed
// by this process are asked by groups: each has a filter of all its ids.

// segmentBits is how many low bits of a rid count the rows of a segment. Fewer
// rows make batches cheaper, since they change fewer pages, and queries dearer,
// since there are more segments to look in: DESIGN.md has the figures.
const segmentBits = 16

// groupSegments is how many segments make a group: a million ids, whose filter takes a
// tenth of a second to build and is still in the processor's cache when it is asked.
const groupSegments = 16

// segments is what the writer keeps of the segments in memory.
type segments struct {
	bits    int
	seed    uint64
	filters map[int64]*idFilter // of the sealed segments
	loose   map[int64]*idFilter // those of them that are in no group
	groups  []segmentGroup
	next    []int64             // the segments sealed last, fewer than a group's
	ids     []uint64            // hashes of the ids in next
	openSeg int64               // the segment of the last new row
	open    map[uint64]struct{} // hashes of the ids in the open segment
	changed map[int64]*segment  // since settle
}

// segmentGroup is some sealed segments that are asked together.
type segmentGroup struct {
	segs   []int64
	filter *idFilter // of all their ids
}

// segment is what a batch adds to one.
type segment struct {
	rows         int64
	minUS, maxUS int64
}

func (s *segments) of(rid int64) int64      { return rid >> s.bits }
func (s *segments) hash(id string) uint64   { return hashID(id, s.seed) }
func (s *segments) isOpen(hash uint64) bool { _, ok := s.open[hash]; return ok }

// perhaps returns for each hash the segments that may hold the id, mostly none.
// It goes filter by filter, not id by id, so that each stays in the processor's
// cache while it is asked.
func (s *segments) perhaps(hashes []uint64) map[int][]int64 {
	found := make(map[int][]int64)
	for _, group := range s.groups {
		for i, h := range hashes {
			if !group.filter.Contains(h) {
				continue
			}
			for _, seg := range group.segs {
				if s.filters[seg].Contains(h) {
					found[i] = append(found[i], seg)
				}
			}
		}
	}
	for seg, filter := range s.loose {
		for i, h := range hashes {
			if filter.Contains(h) {
				found[i] = append(found[i], seg)
			}
		}
	}
	for i, h := range hashes {
		if s.isOpen(h) {
			found[i] = append(found[i], s.openSeg)
		}
	}
	return found
}

// add counts a new row. A rid in a new segment seals the one before.
func (s *segments) add(c *conn, rid int64, hash uint64, at instant) error {
	if seg := s.of(rid); seg != s.openSeg {
		if err := s.seal(c); err != nil {
			return err
		}
		s.openSeg = seg
	}
	s.open[hash] = struct{}{}

	seg, ok := s.changed[s.openSeg]
	if !ok {
		seg = &segment{minUS: math.MaxInt64, maxUS: math.MinInt64}
		s.changed[s.openSeg] = seg
	}
	seg.rows++
	seg.minUS, seg.maxUS = min(seg.minUS, at.us), max(seg.maxUS, at.us)
	return nil
}

// seal stores the filter of the open segment, which gets no more rows.
func (s *segments) seal(c *conn) error {
	if len(s.open) == 0 { // nothing but gaps
		return nil
	}
	hashes := make([]uint64, 0, len(s.open))
	for h := range s.open {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes) // the same ids give the same filter
	filter, bits, err := makeFilter[uint16](hashes)
	if err != nil {
		return fmt.Errorf("filter of segment %d: %w", s.openSeg, err)
	}
	s.filters[s.openSeg], s.loose[s.openSeg] = filter, filter
	s.group(s.openSeg, hashes)
	clear(s.open)
	return c.exec("INSERT INTO id_filters (seg, format, bits) VALUES (?, ?, ?)",
		s.openSeg, int64(filterFormat), bits)
}

// group adds a sealed segment to the next group. Nothing is lost when that cannot be
// made: its segments are asked one by one.
func (s *segments) group(seg int64, hashes []uint64) {
	s.next, s.ids = append(s.next, seg), append(s.ids, hashes...)
	if len(s.next) < groupSegments {
		return
	}
	if filter, err := xorfilter.NewBinaryFuse[uint16](s.ids); err == nil {
		s.groups = append(s.groups, segmentGroup{s.next, filter})
		for _, seg := range s.next {
			delete(s.loose, seg)
		}
	}
	s.next, s.ids = nil, s.ids[:0]
}

// settle stores what add has counted.
func (s *segments) settle(c *conn) error {
	for seg, add := range s.changed {
		err := c.exec(`INSERT INTO segments (seg, rows, min_us, max_us) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT DO UPDATE SET rows = rows + ?2, min_us = min(min_us, ?3), max_us = max(max_us, ?4)`,
			seg, add.rows, add.minUS, add.maxUS)
		if err != nil {
			return err
		}
	}
	clear(s.changed)
	return nil
}

// load reads the filters of the sealed segments and the ids of the open one:
// the segment of the last row, even if it is full, since the next row seals it.
func (s *segments) load(c *conn, nextRID int64) error {
	meta, err := c.one("SELECT hash_seed, segment_bits FROM meta")
	if err != nil {
		return err
	}
	if meta == nil {
		return fmt.Errorf("%w: no row in meta", ErrDamaged)
	}
	*s = segments{
		bits: int(integer(meta[1])), seed: uint64(integer(meta[0])),
		filters: make(map[int64]*idFilter),
		open:    make(map[uint64]struct{}),
		changed: make(map[int64]*segment),
	}
	s.openSeg = s.of(nextRID - 1)

	if err := loadFilters(c, -1, s.filters); err != nil {
		return err
	}
	s.loose = maps.Clone(s.filters)
	return c.query("SELECT message_id FROM messages INDEXED BY messages_id WHERE seg = ?",
		func(row []driver.Value) error {
			s.open[s.hash(str(row[0]))] = struct{}{}
			return nil
		}, s.openSeg)
}

// rewind opens the segment of the row before nextRID again, after the rows from
// there on were removed.
func (s *segments) rewind(c *conn, nextRID int64) error {
	if err := c.exec("DELETE FROM segments WHERE rows = 0"); err != nil {
		return err
	}
	err := c.exec("DELETE FROM id_filters WHERE seg >= ? OR seg NOT IN (SELECT seg FROM segments)", s.of(nextRID-1))
	if err != nil {
		return err
	}
	err = c.exec(`UPDATE segments SET
		min_us = (SELECT min(ts_us) FROM messages m INDEXED BY messages_time WHERE m.seg = segments.seg),
		max_us = (SELECT max(ts_us) FROM messages m INDEXED BY messages_time WHERE m.seg = segments.seg)
		WHERE seg >= ?`, s.of(nextRID-1))
	if err != nil {
		return err
	}
	return s.load(c, nextRID)
}
