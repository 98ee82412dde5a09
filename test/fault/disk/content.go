//go:build linux

package disk

import "math/rand/v2"

// sectorBytes is what a drive writes whole or not at all.
const sectorBytes = 512

// content is the bytes of a regular file, twice: as running programs see them
// and as they are on the platters, with the writes that lie between the two.
type content struct {
	seen     []byte
	durable  []byte
	unsynced []write // since the last sync, in order
	first    uint64  // number of unsynced[0], counted from the file's birth
}

// write is one change of a file's bytes: data at off, or a new size.
type write struct {
	off      int64
	data     []byte
	truncate bool // off is the file's new size
}

// add makes a change that programs see at once. It keeps w.data.
func (c *content) add(w write) {
	c.seen = w.apply(c.seen)
	c.unsynced = append(c.unsynced, w)
}

// mark names the writes made so far, for sync.
func (c *content) mark() uint64 {
	return c.first + uint64(len(c.unsynced))
}

// sync puts the writes up to mark on the platters.
func (c *content) sync(mark uint64) {
	for len(c.unsynced) > 0 && c.first < mark {
		c.durable = c.unsynced[0].apply(c.durable)
		c.unsynced = c.unsynced[1:]
		c.first++
	}
	if len(c.unsynced) == 0 {
		c.unsynced = nil
	}
}

func (c *content) unsyncedBytes() int {
	n := 0
	for _, w := range c.unsynced {
		n += len(w.data)
	}
	return n
}

// survive returns what a power cut leaves of the file.
func (c *content) survive(fate Fate, rng *rand.Rand) []byte {
	b := c.durable
	switch fate {
	case Torn:
		whole := rng.IntN(len(c.unsynced) + 1)
		for _, w := range c.unsynced[:whole] {
			b = w.apply(b)
		}
		if whole < len(c.unsynced) {
			sectors := c.unsynced[whole].sectors()
			for _, s := range sectors[:rng.IntN(len(sectors))] {
				b = s.apply(b)
			}
		}
	case Scattered:
		keep := rng.Float64()
		for _, w := range c.unsynced {
			for _, s := range w.sectors() {
				if rng.Float64() < keep {
					b = s.apply(b)
				}
			}
		}
	}
	return b
}

// apply returns b with the change made; it may reuse b's memory.
func (w write) apply(b []byte) []byte {
	if w.truncate {
		return resize(b, w.off)
	}
	if end := w.off + int64(len(w.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[w.off:], w.data)
	return b
}

// sectors splits a write where sectors of the file end. A new size is one piece.
func (w write) sectors() []write {
	if w.truncate || len(w.data) == 0 {
		return []write{w}
	}
	var pieces []write
	for off, data := w.off, w.data; len(data) > 0; {
		n := min(int64(len(data)), sectorBytes-off%sectorBytes)
		pieces = append(pieces, write{off: off, data: data[:n]})
		off, data = off+n, data[n:]
	}
	return pieces
}

// resize returns b with size bytes; new ones are zero.
func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	if size <= int64(cap(b)) {
		grown := b[:size]
		clear(grown[len(b):])
		return grown
	}
	grown := make([]byte, size, size+size/4)
	copy(grown, b)
	return grown
}
