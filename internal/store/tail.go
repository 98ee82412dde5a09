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
	chunks     []tailChunk
}

// tailChunk is some texts of a textTail, one after the other. Most chunks do not have all
// the pieces of a rare term and need not be searched.
type tailChunk struct {
	start  int         // of the first text
	pieces *tailPieces // of tailPiece bytes
}

const (
	tailChunkBytes = 16 << 10 // from which on a chunk gets no more texts
	tailPiece      = 4
)

// tailPieces is a set of pieces, or of more than were added: a bit for each hash. The
// pieces of a chunk set a tenth of the bits or so.
type tailPieces [1 << (tailPieceBits - 6)]uint64

const tailPieceBits = 15

// hashPiece returns the hash of the piece that b begins with.
func hashPiece[T string | []byte](b T) uint32 {
	n := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	return n * 2654435769 >> (32 - tailPieceBits) // Knuth's multiplicative hash
}

func (p *tailPieces) add(text []byte) {
	for ; len(text) >= tailPiece; text = text[1:] {
		h := hashPiece(text)
		p[h/64] |= 1 << (h % 64)
	}
}

// perhaps reports whether all pieces of a term may be there.
func (p *tailPieces) perhaps(term string) bool {
	for ; len(term) >= tailPiece; term = term[1:] {
		if h := hashPiece(term); p[h/64]&(1<<(h%64)) == 0 {
			return false
		}
	}
	return true
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
	texts := t.searchFor(p.term)
	for i, to := t.find(rid), t.find(s.state.nextRID); i < to; i++ {
		if p.term != "" {
			start := t.rows[i].start
			at := texts.index(start, t.endOf(to-1))
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

// tailSearch looks for a term, text after text.
type tailSearch struct {
	*textTail
	term    string
	rarest  int  // byte of the term
	next    int  // the first chunk that is not reached yet
	perhaps bool // the one before may have the term
}

// searchFor begins to look for a term.
func (t *textTail) searchFor(term string) *tailSearch {
	s := &tailSearch{textTail: t, term: term}
	for i := range len(term) {
		if t.bytes[term[i]] < t.bytes[term[s.rarest]] {
			s.rarest = i
		}
	}
	return s
}

// index returns where the term is in part of the text, from its start, or -1. The part
// begins and ends with a text, and does not lie before that of the last call.
func (s *tailSearch) index(start, end int) int {
	for from, to := start, end; from < end; from = to {
		for s.next < len(s.chunks) && s.chunks[s.next].start <= from {
			s.perhaps = s.chunks[s.next].pieces.perhaps(s.term)
			s.next++
		}
		if to = end; s.next < len(s.chunks) {
			to = min(end, s.chunks[s.next].start)
		}
		if !s.perhaps {
			continue
		}
		if at := s.indexIn(s.text[from:to]); at >= 0 {
			return from + at - start
		}
	}
	return -1
}

// indexIn is index of some text. It looks for the term's rarest byte: a library's
// search takes the first, which may be in every text.
func (s *tailSearch) indexIn(text []byte) int {
	const often = 32 // one in so many bytes is too many to look at each
	rarest := s.term[s.rarest]
	if s.bytes[rarest] > len(s.text)/often {
		return bytes.Index(text, []byte(s.term))
	}
	for at := s.rarest; at < len(text); at++ {
		n := bytes.IndexByte(text[at:], rarest)
		if n < 0 {
			break
		}
		at += n
		if begin := at - s.rarest; begin+len(s.term) <= len(text) && string(text[begin:begin+len(s.term)]) == s.term {
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
		t.rewinds, t.first, t.end, t.rows, t.text, t.bytes, t.chunks = s.state.rewinds, rid, rid, nil, nil, [256]int{}, nil
	case drop > len(t.rows)/2: // else moving the rest costs more than it frees
		t.drop(drop)
		t.first = rid
	}
}

// drop drops so many rows, the first, but at least one.
func (t *textTail) drop(rows int) {
	start := t.endOf(rows - 1)
	t.count(t.text[:start], -1)
	t.rows, t.text = slices.Clone(t.rows[rows:]), bytes.Clone(t.text[start:])
	for i := range t.rows {
		t.rows[i].start -= start
	}
	chunk := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].start > start }) - 1
	t.chunks = slices.Clone(t.chunks[chunk:]) // the first may have pieces of texts that are gone
	for i := range t.chunks {
		t.chunks[i].start = max(0, t.chunks[i].start-start)
	}
}

// add adds a row.
func (t *textTail) add(r textRow) {
	start := len(t.text)
	t.rows = append(t.rows, tailRow{r.hit, r.numbers, start})
	t.text = append(append(t.text, fold(r.text)...), tailGap)
	t.count(t.text[start:], 1)
	if n := len(t.chunks); n == 0 || start-t.chunks[n-1].start >= tailChunkBytes {
		t.chunks = append(t.chunks, tailChunk{start, new(tailPieces)})
	}
	t.chunks[len(t.chunks)-1].pieces.add(t.text[start:])
	t.end = r.rid + 1
}

// read adds the rows that have come since.
func (t *textTail) read(s *snapshot) error {
	n := 0
	err := s.query("SELECT "+textColumns+" FROM messages WHERE rid >= ? AND rid < ? ORDER BY rid",
		func(row []driver.Value) error {
			t.add(textRowOf(row))
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
