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
	text       []byte   // folded texts, one after the other, with tailGap between them
	bytes      [256]int // how many of each are in text
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
			at := t.index(start, t.endOf(to-1), p.term)
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

// index returns where a term is in part of the text, from its start, or -1. It looks
// for the term's rarest byte: a library's search takes the first, which may be in
// every text.
func (t *textTail) index(start, end int, term string) int {
	const often = 32 // one in so many bytes is too many to look at each
	rarest := 0
	for i := range len(term) {
		if t.bytes[term[i]] < t.bytes[term[rarest]] {
			rarest = i
		}
	}
	text := t.text[start:end]
	if t.bytes[term[rarest]] > len(t.text)/often {
		return bytes.Index(text, []byte(term))
	}
	for at := rarest; at < len(text); at++ {
		n := bytes.IndexByte(text[at:], term[rarest])
		if n < 0 {
			break
		}
		at += n
		if begin := at - rarest; begin+len(term) <= len(text) && string(text[begin:begin+len(term)]) == term {
			return begin
		}
	}
	return -1
}

// count adds n for each byte of a text.
func (t *textTail) count(text []byte, n int) {
	for _, b := range text {
		t.bytes[b] += n
	}
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
		t.rewinds, t.first, t.end, t.rows, t.text, t.bytes = s.state.rewinds, rid, rid, nil, nil, [256]int{}
	case drop > len(t.rows)/2: // else moving the rest costs more than it frees
		start := t.endOf(drop - 1)
		t.count(t.text[:start], -1)
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
			t.count(t.text[t.rows[len(t.rows)-1].start:], 1)
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
