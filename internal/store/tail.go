package store

import (
	"bytes"
	"cmp"
	"database/sql/driver"
	"slices"
	"sort"
	"sync"
)

// textTail is what a reader remembers of the rows that the search index does not
// have yet: their numbers and folded texts, read once each and searched in
// memory. Its queries share it.
type textTail struct {
	mu         sync.Mutex
	rewinds    int64 // state.rewinds when it was read
	first, end int64 // it has the rows from rid first on, before end
	rows       []tailRow
	text       []byte // folded texts, one after the other, with tailGap between them
}

// tailRow is a row of a textTail.
type tailRow struct {
	hit
	numbers [2]string // sender, recipient
	start   int       // of its text
}

// tailGap lies between texts. UTF-8 has no such byte, so no term reaches across.
const tailGap = 0xff

// search returns the hits of a plan from rid on.
func (t *textTail) search(s *snapshot, rid int64, p plan) (*hits, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(s, rid)
	if err := t.read(s); err != nil {
		return nil, err
	}
	var found []hit
	for i, to := t.find(rid), t.find(s.state.nextRID); i < to; i++ {
		if p.term != "" {
			start := t.rows[i].start
			at := bytes.Index(t.text[start:t.endOf(to-1)], []byte(p.term))
			if at < 0 {
				break
			}
			i += sort.Search(to-i, func(n int) bool { return t.rows[i+n].start > start+at }) - 1
		}
		if t.rows[i].meets(p) {
			found = append(found, t.rows[i].hit)
		}
	}
	return hitList(found), nil
}

// meets reports whether the row is what a plan asks for, its text aside.
func (r *tailRow) meets(p plan) bool {
	return r.key >= p.span.lo && r.key < p.span.hi &&
		(p.from == "" || r.numbers[sender] == p.from) && (p.to == "" || r.numbers[recipient] == p.to)
}

// find returns the first row at or behind rid.
func (t *textTail) find(rid int64) int {
	i, _ := slices.BinarySearchFunc(t.rows, rid, func(r tailRow, rid int64) int { return cmp.Compare(r.rid, rid) })
	return i
}

// endOf returns where the text of a row ends.
func (t *textTail) endOf(row int) int {
	if row+1 < len(t.rows) {
		return t.rows[row+1].start
	}
	return len(t.text)
}

// forget drops what is of no use to s, for which the tail begins at rid.
func (t *textTail) forget(s *snapshot, rid int64) {
	switch drop := t.find(rid); {
	case t.rewinds != s.state.rewinds || rid < t.first || rid > t.end:
		t.rewinds, t.first, t.end, t.rows, t.text = s.state.rewinds, rid, rid, nil, nil
	case drop > len(t.rows)/2: // else moving the rest costs more than it frees
		start := t.endOf(drop - 1)
		t.first, t.rows, t.text = rid, slices.Clone(t.rows[drop:]), bytes.Clone(t.text[start:])
		for i := range t.rows {
			t.rows[i].start -= start
		}
	}
}

// read adds the rows that have come since.
func (t *textTail) read(s *snapshot) error {
	n := 0
	err := s.query("SELECT "+textColumns+" FROM messages WHERE rid >= ? AND rid < ? ORDER BY rid",
		func(row []driver.Value) error {
			r := textRowOf(row)
			t.rows = append(t.rows, tailRow{r.hit, r.numbers, len(t.text)})
			t.text = append(append(t.text, fold(r.text)...), tailGap)
			t.end = r.rid + 1
			if n++; n%1024 == 0 {
				return s.ctx.Err()
			}
			return nil
		}, t.end, s.state.nextRID)
	if err == nil {
		t.end = max(t.end, s.state.nextRID)
	}
	return err
}
