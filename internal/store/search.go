package store

import (
	"database/sql/driver"
	"slices"

	"sluice/pkg/message"
)

// searchPage finds a page of a plan that asks for a recipient or a text. The
// search index says which rows match, and those that it does not have yet are
// looked at in memory; but a few rows are quicker looked at one by one.
func (v *rankView) searchPage(p plan, req message.PageRequest) (rows []row, total int64, more bool, err error) {
	first, end, err := v.ranksOf(p.span)
	if err != nil {
		return nil, 0, false, err
	}
	if end-first <= v.s.config.walkRows {
		return v.checkedPage(p, req)
	}
	found, err := v.s.search(p)
	if err != nil {
		return nil, 0, false, err
	}
	total = countHits(found)
	behind := p.span.behind(req.After, req.Descending)
	for _, h := range found {
		if err := h.cut(v.s, behind); err != nil {
			return nil, 0, false, err
		}
	}
	rows, more, err = v.s.merge(found, req)
	return rows, total, more, err
}

func countHits(of []*hits) (total int64) {
	for _, h := range of {
		total += int64(h.len())
	}
	return total
}

// search returns the hits of a plan.
func (s *snapshot) search(p plan) ([]*hits, error) {
	blocks, end, err := s.blocks(p.span)
	if err != nil {
		return nil, err
	}
	var found []*hits
	conditions := conditionsOf(p)
	for _, b := range blocks {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.find(b, conditions); err != nil {
			return nil, err
		}
		if err := b.cut(s, p.span); err != nil {
			return nil, err
		}
		if b.len() > 0 {
			found = append(found, b.hits)
		}
	}
	rest, err := s.tail.search(s, end, p)
	return append(found, rest), err
}

// find finds the hits of a block: the rows that meet all conditions.
func (s *snapshot) find(b blockHits, conditions []condition) error {
	for i, c := range conditions {
		rows, ok := s.found.get(s.state.rewinds, c.name(), b.block)
		if !ok {
			var err error
			if rows, err = c.rows(s, b); err != nil {
				return err
			}
			rows = slices.Clone(rows) // which have room for more
			s.found.put(s.state.rewinds, c.name(), b.block, rows)
		}
		if i == 0 {
			b.places = rows
		} else {
			b.places = intersect(nil, b.places, rows)
		}
		if len(b.places) == 0 {
			break
		}
	}
	return nil
}

// blockHits are the hits of a search block that are to be found.
type blockHits struct {
	*hits
	offsetBits int
}

// blocks returns the search blocks with rows inside a span, and where the index
// ends.
func (s *snapshot) blocks(in span) (blocks []blockHits, end int64, err error) {
	lo, _ := in.lo.parts()
	hi, _ := in.hi.parts()
	end = 1
	err = s.query("SELECT block, first_rid, end_rid, min_us, max_us, offset_bits FROM search_blocks WHERE unicode = ? ORDER BY block",
		func(row []driver.Value) error {
			end = integer(row[2])
			h := &hits{block: integer(row[0]), firstRID: integer(row[1]), minUS: integer(row[3]), maxUS: integer(row[4])}
			if h.maxUS >= lo.us && h.minUS <= hi.us {
				blocks = append(blocks, blockHits{h, int(integer(row[5]))})
			}
			return nil
		}, foldVersion)
	return blocks, end, err
}
