package store

import (
	"cmp"
	"database/sql/driver"
	"slices"
)

// condition is something that a plan asks of the rows of a search block.
type condition interface {
	// name tells apart what gives different rows.
	name() string

	// rows returns the rows of a block that meet the condition.
	rows(s *snapshot, b blockHits) ([]uint32, error)
}

func conditionsOf(p plan) (conditions []condition) {
	if p.from != "" {
		conditions = append(conditions, &numberCondition{sender, p.from})
	}
	if p.to != "" {
		conditions = append(conditions, &numberCondition{recipient, p.to})
	}
	if p.term != "" {
		conditions = append(conditions, newTermCondition(p.term))
	}
	return conditions
}

// Columns of search_numbers.
const (
	sender = iota
	recipient
)

// numberCondition asks for the rows of a sender or of a recipient.
type numberCondition struct {
	column int
	number string
}

func (c *numberCondition) name() string {
	return [...]string{sender: "from ", recipient: "to "}[c.column] + c.number
}

func (c *numberCondition) rows(s *snapshot, b blockHits) ([]uint32, error) {
	row, err := s.one(`SELECT numbers FROM search_numbers WHERE block = ? AND role = ? AND low <= ?
		ORDER BY low DESC LIMIT 1`, b.block, int64(c.column), c.number)
	if err != nil || row == nil {
		return nil, err
	}
	return decodeNumber(blob(row[0]), c.number), nil
}

// termCondition asks for the rows whose text contains a term, folded. It is
// asked for one block after the other.
type termCondition struct {
	term  string
	grams []termGram
	sized bool     // grams know how long their lists are
	list  []uint32 // of the gram being looked at, reused
}

// termGram is one of the grams of the term.
type termGram struct {
	gram, shift uint32
	size        int // of its list in the last block that was asked for it
}

// overlapBytes is up to how long a term all its grams are of use: some may have shorter
// lists than those that just cover it. It is how many bits termCover has.
const overlapBytes = 64

func newTermCondition(term string) *termCondition {
	c := &termCondition{term: term}
	if len(term) < 3 {
		return c
	}
	step := 3 // just covers it
	if len(term) <= overlapBytes {
		step = 1
	}
	last := len(term) - 3
	for i := 0; i < last+step; i += step {
		at := min(i, last)
		c.grams = append(c.grams, termGram{gram: gramAt(term, at), shift: uint32(at)})
	}
	return c
}

func (c *termCondition) name() string { return "q " + c.term }

func (c *termCondition) rows(s *snapshot, b blockHits) ([]uint32, error) {
	if len(c.grams) == 0 {
		places, err := c.shortPlaces(s, b.block)
		return rowsOf(places, b.offsetBits), err
	}
	places, certain, err := c.places(s, b.block)
	rows := rowsOf(places, b.offsetBits)
	if err != nil || certain || len(rows) == 0 {
		return rows, err
	}
	return c.check(s, b, rows)
}

// fewPlaces are rather looked at than lists that are longer than readBytes together.
const fewPlaces = 4

// places returns where the term begins in a block, or may begin when that is not
// certain. The grams with the shortest lists come first: likely they settle it. What
// they say together of every byte of the term, the others need not say again.
func (c *termCondition) places(s *snapshot, block int64) (found []uint32, certain bool, err error) {
	if perhaps, err := c.perhaps(s, block); err != nil || !perhaps {
		return nil, true, err
	}
	if err := c.order(s, block); err != nil {
		return nil, false, err
	}
	var known termCover
	certain = true
	for i := range c.grams {
		g := &c.grams[i]
		if known.has(g) {
			continue
		}
		if i > 0 && len(found) <= fewPlaces && c.left(i, known) > s.config.readBytes {
			certain = false
			break
		}
		list, err := s.gramList(block, g.gram)
		if err != nil {
			return nil, false, err
		}
		g.size = len(list)
		if i == 0 {
			found = decodePlaces(nil, list, g.shift, allPlaces)
		} else {
			c.list = decodePlaces(c.list[:0], list, g.shift, found[len(found)-1])
			found = intersect(found[:0], found, c.list)
		}
		if len(found) == 0 {
			break
		}
		known.add(g)
	}
	return found, certain, nil
}

// left returns how long the lists are together that may have to be read yet.
func (c *termCondition) left(from int, known termCover) (bytes int) {
	for i := range c.grams[from:] {
		if g := &c.grams[from+i]; !known.has(g) {
			bytes += g.size
		}
	}
	return bytes
}

// check leaves the rows of a block whose texts have the term.
func (c *termCondition) check(s *snapshot, b blockHits, rows []uint32) ([]uint32, error) {
	h := *b.hits
	h.places = rows
	kept := make([]uint32, 0, len(rows))
	for i := range rows {
		r, err := h.row(s, i)
		if err != nil {
			return nil, err
		}
		if r.Text != nil && foldedContains(*r.Text, c.term) {
			kept = append(kept, rows[i])
		}
	}
	return kept, nil
}

// perhaps reports whether a block may have the term, as far as its filter knows.
func (c *termCondition) perhaps(s *snapshot, block int64) (bool, error) {
	filter, err := s.grams.of(s, block)
	if err != nil || filter == nil {
		return err == nil, err
	}
	for _, g := range c.grams {
		if !filter.Contains(uint64(g.gram)) {
			return false, nil
		}
	}
	return true, nil
}

// order puts the grams in the order of their lists in the last block that was asked for
// them. Before the first the block at hand is: a list can be as long as all texts.
func (c *termCondition) order(s *snapshot, block int64) error {
	if !c.sized {
		for i := range c.grams {
			row, err := s.one("SELECT length(places) FROM search_grams WHERE id = ?", block<<gramBits|int64(c.grams[i].gram))
			if err != nil {
				return err
			}
			if row != nil {
				c.grams[i].size = int(integer(row[0]))
			}
		}
		c.sized = true
	}
	slices.SortStableFunc(c.grams, func(a, b termGram) int { return cmp.Compare(a.size, b.size) })
	return nil
}

// termCover is which bytes of a term are known to be where they should, of the first
// overlapBytes. A longer term has no gram that could be left out.
type termCover uint64

func (k termCover) has(g *termGram) bool {
	return g.shift <= overlapBytes-3 && k>>g.shift&0b111 == 0b111
}

func (k *termCover) add(g *termGram) { *k |= 0b111 << g.shift }

// shortPlaces is places for a term of one or two bytes, which begins many grams.
func (c *termCondition) shortPlaces(s *snapshot, block int64) (found []uint32, err error) {
	first := uint32(c.term[0]) << 16
	last := first | 0xffff
	if len(c.term) == 2 {
		first |= uint32(c.term[1]) << 8
		last = first | 0xff
	}
	err = s.query("SELECT places FROM search_grams WHERE id BETWEEN ? AND ?", func(row []driver.Value) error {
		found = decodePlaces(found, blob(row[0]), 0, allPlaces)
		return nil
	}, block<<gramBits|int64(first), block<<gramBits|int64(last))
	slices.Sort(found)
	return found, err
}
