package store

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// numberChunk is some of the numbers in a block's column, in order, and the rows
// of each: length and bytes of the number, length and bytes of its list of rows,
// which is written like a list of places.
type numberChunk struct {
	low  string // the first number
	list []byte
}

// chunkBytes is from which length on a chunk gets no more numbers. SQLite keeps
// up to a quarter of a page in the tree itself.
const chunkBytes = 1500

// encodeNumbers writes a column of the rows.
func encodeNumbers(rows []textRow, column int) (chunks []numberChunk) {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(strings.Compare(rows[a].numbers[column], rows[b].numbers[column]), a-b)
	})
	var list []byte
	last := 0
	for i, row := range order {
		list = binary.AppendUvarint(list, uint64(row-last))
		last = row
		number := rows[row].numbers[column]
		if i+1 < len(order) && rows[order[i+1]].numbers[column] == number {
			continue
		}
		if n := len(chunks); n == 0 || len(chunks[n-1].list) >= chunkBytes {
			chunks = append(chunks, numberChunk{low: number})
		}
		c := &chunks[len(chunks)-1]
		c.list = append(binary.AppendUvarint(c.list, uint64(len(number))), number...)
		c.list = append(binary.AppendUvarint(c.list, uint64(len(list))), list...)
		list, last = list[:0], 0
	}
	return chunks
}

// decodeNumber returns the rows of a number, nil when it is not in the chunk.
func decodeNumber(chunk []byte, number string) []uint32 {
	next := func() []byte {
		size, n := binary.Uvarint(chunk)
		if n <= 0 || size > uint64(len(chunk)-n) {
			chunk = nil // a damaged chunk ends early
			return nil
		}
		b := chunk[n : n+int(size)]
		chunk = chunk[n+int(size):]
		return b
	}
	for len(chunk) > 0 {
		at, list := next(), next()
		if string(at) == number {
			return decodePlaces(nil, list, 0, allPlaces)
		}
	}
	return nil
}
