package query

import (
	"sync"
	"time"
)

// A rate is taken over the last rateSpan, from samples rateStep apart.
const (
	rateSpan = 10 * time.Second
	rateStep = time.Second
)

// rates tells how fast a sequence rises.
type rates struct {
	mu      sync.Mutex
	samples []sample // oldest first, none older than rateSpan
}

type sample struct {
	at  time.Time
	seq uint64
}

// add takes a sample. A sequence that has fallen is another one: the stream was
// made anew or the writer went back.
func (r *rates) add(now time.Time, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.samples); n > 0 && seq < r.samples[n-1].seq {
		r.samples = nil
	}
	r.forget(now)
	r.samples = append(r.samples, sample{now, seq})
}

// perSecond returns the rate up to now, 0 as long as there is nothing to compare
// seq with.
func (r *rates) perSecond(now time.Time, seq uint64) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if len(r.samples) == 0 {
		return 0
	}
	first := r.samples[0]
	return rate(first.seq, seq, now.Sub(first.at))
}

func (r *rates) forget(now time.Time) {
	old := 0
	for old < len(r.samples) && now.Sub(r.samples[old].at) > rateSpan {
		old++
	}
	r.samples = append(r.samples[:0], r.samples[old:]...)
}
