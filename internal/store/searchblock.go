package store

import (
	"cmp"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	"golang.org/x/text/cases"
)

// A search block knows some consecutive rows, numbered in order of instant and id:
// for each sender and each recipient its rows, and for each three bytes that occur
// in folded texts, the gram, every place where they do. A place is a row and an
// offset in its text as one number, row << offsetBits | offset. At the end of a
// text the gram is filled up with gramEnd, so that every byte of every text begins
// exactly one gram.
//
// A term is in a text exactly where the grams at its bytes 0, 3, 6, … and the one
// at its end stand at those distances: together they cover every byte of it. So
// matches are found and counted without looking at a single row, and come in the
// order of answers. No text fills all its offsets, so a term cannot be found
// across two of them.

// gramEnd fills up the grams at the end of a text. UTF-8 has no such byte.
const gramEnd = 0xff

const gramBits = 24

// foldVersion changes with what fold makes of a text.
const foldVersion = cases.UnicodeVersion

// searchBlock is a block that was built.
type searchBlock struct {
	firstRID, endRID int64
	minUS, maxUS     int64
	offsetBits       int
	rids, times      []byte
	grams            []gramPlaces     // ascending, filterGram the last
	numbers          [2][]numberChunk // of senders, of recipients
}

type gramPlaces struct {
	gram   uint32
	places []byte
}

// textRow is a row as the search index looks at it.
type textRow struct {
	hit
	numbers [2]string // sender, recipient
	text    string    // empty for NULL too, in which nothing is found
}

// blockRows gathers the rows of a block and folds their texts.
type blockRows struct {
	limits searchConfig
	rows   []textRow
	bytes  int
}

func (g *blockRows) add(r textRow) {
	r.text = fold(r.text)
	g.rows = append(g.rows, r)
	g.bytes += len(r.text)
}

func (g *blockRows) full() bool {
	return len(g.rows) >= g.limits.blockRows || g.bytes >= g.limits.blockBytes
}

// build builds the block of the gathered rows, the first of which may be missing
// from firstRID on.
func (g *blockRows) build(firstRID int64) *searchBlock {
	rows, longest := g.rows, 0
	for _, r := range rows {
		longest = max(longest, len(r.text))
	}
	b := &searchBlock{firstRID: firstRID, offsetBits: bits.Len(uint(longest + 1))}
	rows = rows[:min(len(rows), 1<<(32-b.offsetBits))] // so that places fit 32 bits
	b.endRID = rows[len(rows)-1].rid + 1

	slices.SortFunc(rows, func(a, b textRow) int { return cmp.Compare(a.key, b.key) })
	b.minUS, b.maxUS = rows[0].key.us(), rows[len(rows)-1].key.us()

	places := make([]uint64, 0, g.bytes) // 8 bytes for each of the text's: to grow would copy it many times
	for i, r := range rows {
		b.rids = binary.LittleEndian.AppendUint32(b.rids, uint32(r.rid-firstRID))
		b.times = binary.LittleEndian.AppendUint64(b.times, uint64(r.key.us()))
		for at := range len(r.text) {
			places = append(places, uint64(gramAt(r.text, at))<<32|uint64(i<<b.offsetBits|at))
		}
	}
	b.grams = encodePlaces(sortByGram(places))
	if filter := encodeGramFilter(b.grams); filter != nil {
		b.grams = append(b.grams, gramPlaces{filterGram, filter})
	}
	for column := range b.numbers {
		b.numbers[column] = encodeNumbers(rows, column)
	}
	return b
}

// read gathers rows from firstRID on, before nextRID, until there are enough.
func (g *blockRows) read(c *conn, firstRID, nextRID int64) error {
	enough := errors.New("enough")
	err := c.query("SELECT "+textColumns+" FROM messages WHERE rid >= ? AND rid < ? ORDER BY rid",
		func(row []driver.Value) error {
			if g.add(textRowOf(row)); g.full() {
				return enough
			}
			return nil
		}, firstRID, nextRID)
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// textColumns are what textRowOf reads.
const textColumns = "rid, ts_us, ts_ns, message_id, from_msisdn, to_msisdn, text"

func textRowOf(row []driver.Value) textRow {
	return textRow{
		hit:     hit{integer(row[0]), makeKey(instant{integer(row[1]), integer(row[2])}, str(row[3]))},
		numbers: [2]string{str(row[4]), str(row[5])},
		text:    str(row[6]),
	}
}

// gramAt returns the gram at byte i of a text.
func gramAt(text string, i int) uint32 {
	g := uint32(text[i])<<16 | gramEnd<<8 | gramEnd
	if i+1 < len(text) {
		g = g&^(0xff<<8) | uint32(text[i+1])<<8
	}
	if i+2 < len(text) {
		g = g&^0xff | uint32(text[i+2])
	}
	return g
}

// sortByGram sorts gram << 32 | place, given in order of place, by gram and
// place: three rounds of a radix sort, which keeps the order of what is equal.
func sortByGram(places []uint64) []uint64 {
	sorted := make([]uint64, len(places))
	for shift := 32; shift < 32+gramBits; shift += 8 {
		var next [256]int
		for _, p := range places {
			next[byte(p>>shift)]++
		}
		sum := 0
		for i, n := range next {
			next[i] = sum
			sum += n
		}
		for _, p := range places {
			sorted[next[byte(p>>shift)]] = p
			next[byte(p>>shift)]++
		}
		places, sorted = sorted, places
	}
	return places
}

// encodePlaces writes the places of each gram as the distances between them.
func encodePlaces(sorted []uint64) []gramPlaces {
	var grams []gramPlaces
	var last uint32
	for _, p := range sorted {
		gram, place := uint32(p>>32), uint32(p)
		if len(grams) == 0 || grams[len(grams)-1].gram != gram {
			grams = append(grams, gramPlaces{gram: gram})
			last = 0
		}
		g := &grams[len(grams)-1]
		g.places = binary.AppendUvarint(g.places, uint64(place-last))
		last = place
	}
	return grams
}

// allPlaces is behind every place.
const allPlaces = math.MaxUint32

// decodePlaces undoes encodePlaces for one gram and moves the places back by
// shift: from where the gram stands in a term to where the term would begin. It
// appends those up to last to places. A damaged list ends early.
func decodePlaces(places []uint32, list []byte, shift, last uint32) []uint32 {
	places = slices.Grow(places, len(list)) // at least a byte each
	var at uint32
	for len(list) > 0 {
		distance := uint32(list[0])
		switch {
		case distance < 0x80:
			list = list[1:]
		case len(list) > 1 && list[1] < 0x80:
			distance = distance&0x7f | uint32(list[1])<<7
			list = list[2:]
		default:
			long, n := binary.Uvarint(list)
			if n <= 0 {
				return places
			}
			distance = uint32(long)
			list = list[n:]
		}
		if at += distance; at < shift {
			continue
		}
		if at-shift > last {
			break
		}
		places = append(places, at-shift)
	}
	return places
}

// intersect appends to kept what is in both. Both are ascending; kept may be in
// the memory of found.
func intersect(kept, found, list []uint32) []uint32 {
	for _, f := range found {
		if len(list) == 0 {
			break
		}
		if list[0] < f {
			list = list[gallop(list, f):]
		}
		if len(list) > 0 && list[0] == f {
			kept = append(kept, f)
		}
	}
	return kept
}

// gallop returns how many numbers of a list are below n: the first is. It is
// quick when they are few.
func gallop(list []uint32, n uint32) int {
	step := 1
	for step < len(list) && list[step] < n {
		step *= 2
	}
	lo, hi := step/2+1, min(step, len(list))
	for lo < hi {
		if mid := (lo + hi) / 2; list[mid] < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// rowsOf returns the rows in whose texts the places lie, each once, in the same
// memory. Both are ascending.
func rowsOf(places []uint32, offsetBits int) []uint32 {
	rows := places[:0]
	for _, place := range places {
		if row := place >> offsetBits; len(rows) == 0 || rows[len(rows)-1] != row {
			rows = append(rows, row)
		}
	}
	return rows
}
