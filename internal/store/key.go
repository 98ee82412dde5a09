package store

import (
	"encoding/binary"
	"math"
	"time"
)

// instant is a point in time as the columns ts_us and ts_ns hold it: the years
// 0000 to 9999 in nanoseconds do not fit one integer of 64 bits.
type instant struct {
	us int64 // microseconds since 1970, rounded down
	ns int64 // the rest, 0 to 999
}

func instantOf(t time.Time) instant {
	return instant{t.UnixMicro(), int64(t.Nanosecond() % 1000)}
}

func (i instant) time() time.Time {
	return time.UnixMicro(i.us).Add(time.Duration(i.ns)).UTC()
}

// key is a row's place in an order: instant, then the bytes of the id, encoded
// so that comparing keys as strings compares places. The empty key is before all.
type key string

const instantBytes = 8 + 2

// endKey is behind every row.
var endKey = makeKey(instant{us: math.MaxInt64}, "")

func makeKey(at instant, id string) key {
	b := make([]byte, instantBytes, instantBytes+len(id))
	binary.BigEndian.PutUint64(b, uint64(at.us)^1<<63)
	binary.BigEndian.PutUint16(b[8:], uint16(at.ns))
	return key(append(b, id...))
}

// parts undoes makeKey.
func (k key) parts() (at instant, id string) {
	if len(k) < instantBytes {
		return instant{us: math.MinInt64}, ""
	}
	var b [instantBytes]byte
	copy(b[:], k)
	at.us = int64(binary.BigEndian.Uint64(b[:]) ^ 1<<63)
	at.ns = int64(binary.BigEndian.Uint16(b[8:]))
	return at, string(k[instantBytes:])
}

// us returns the microseconds of k's instant.
func (k key) us() int64 {
	at, _ := k.parts()
	return at.us
}

// next returns the least key behind k.
func (k key) next() key {
	return k + "\x00"
}

// span is a range of keys: from lo on, before hi.
type span struct {
	lo, hi key
}

var everything = span{"", endKey}

func (s span) empty() bool { return s.lo >= s.hi }
