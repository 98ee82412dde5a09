package load

import (
	"fmt"
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are at most 1/32 wide, whatever
// their size. The zero value is empty. It is for one goroutine.
type Histogram struct {
	buckets [64 << subBits]uint64
	count   uint64
	max     time.Duration
}

const subBits = 5

// bucket returns where d is counted: its highest bit and the subBits below it.
func bucket(d time.Duration) int {
	u := uint64(max(d, 0))
	if u < 1<<subBits {
		return int(u)
	}
	shift := bits.Len64(u) - 1 - subBits
	return (shift+1)<<subBits + int(u>>shift) - 1<<subBits
}

// upper returns the largest duration of a bucket.
func upper(bucket int) time.Duration {
	if bucket < 1<<subBits {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	return time.Duration((uint64(bucket&(1<<subBits-1))+1<<subBits+1)<<shift - 1)
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucket(d)]++
	h.count++
	h.max = max(h.max, d)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// Count returns how many durations were added.
func (h *Histogram) Count() uint64 { return h.count }

// Max returns the longest one.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration below which q of them lie, 0 < q ≤ 1, at most 1/32 too long;
// 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q*float64(h.count) + 0.5)
	var seen uint64
	for i, n := range h.buckets {
		seen += n
		if n > 0 && seen >= rank {
			return min(upper(i), h.max)
		}
	}
	return 0
}

func (h *Histogram) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, p99.9 %v, max %v",
		round(h.Quantile(0.5)), round(h.Quantile(0.99)), round(h.Quantile(0.999)), round(h.max))
}
