package query

import (
	"sort"
	"sync"
	"time"
)

// historySpan is how far back a Pipeline remembers, in moments rateStep apart.
const historySpan = time.Hour

// Moment is how far stream and database were.
type Moment struct {
	At       time.Time
	Accepted uint64 // the stream's last sequence, 0 when it could not be seen
	Applied  uint64 // the database's; without a database there is no moment
}

// history is the latest moments, oldest first.
type history struct {
	mu      sync.Mutex
	moments []Moment
}

func (h *history) add(m Moment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.moments); n > 0 && m.Applied < h.moments[n-1].Applied {
		h.moments = h.moments[:0] // the database is another, or went back
	}
	if n := int(historySpan / rateStep); len(h.moments) >= 2*n {
		h.moments = append(h.moments[:0], h.moments[n:]...)
	}
	h.moments = append(h.moments, m)
}

// since returns the moments from then on.
func (h *history) since(t time.Time) []Moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := sort.Search(len(h.moments), func(i int) bool { return !h.moments[i].At.Before(t) })
	return append([]Moment(nil), h.moments[i:]...)
}

// storedBy returns the first moment at which the database had applied a sequence,
// unless it had before the history begins.
func (h *history) storedBy(seq uint64) (at time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := sort.Search(len(h.moments), func(i int) bool { return h.moments[i].Applied >= seq })
	if i == 0 || i == len(h.moments) {
		return time.Time{}, false
	}
	return h.moments[i].At, true
}
