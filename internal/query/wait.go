package query

import (
	"context"
	"slices"
	"sync"
	"time"
)

// pollInterval is how often the database is asked how far it is while anybody
// waits for it.
const pollInterval = time.Millisecond

// waiter makes readers see their own writes: it waits until the database holds a
// sequence. However many wait, one goroutine asks for all of them; it ends with
// the last of them.
type waiter struct {
	reader  Reader
	acked   func() uint64
	longest time.Duration

	mu      sync.Mutex
	waiting []*waiting
	polling bool
	pace    pace
}

type waiting struct {
	seq     uint64
	arrived chan struct{} // closed once there is nothing to wait for any more
}

// wait returns once the database holds afterSeq and everything that this process
// had acknowledged when wait was called, or after the longest time allowed. It
// returns at once when waiting is of no use: there is no database, no writer, or a
// writer so far behind that it could not arrive in time.
func (w *waiter) wait(ctx context.Context, afterSeq uint64) {
	acked := w.acked()
	seq := max(acked, afterSeq)
	if w.longest <= 0 || seq == 0 {
		return
	}
	start := time.Now()
	applied, err := w.reader.Applied(ctx)
	if err != nil || applied >= seq || !w.reader.WriterPresent() || !w.canArrive(applied, seq) {
		return
	}
	me := w.join(seq)
	timer := time.NewTimer(w.longest - time.Since(start))
	defer timer.Stop()
	select {
	case <-me.arrived:
	case <-ctx.Done():
		w.leave(me)
	case <-timer.C:
		w.leave(me)
		if now, err := w.reader.Applied(ctx); err == nil && seq <= acked {
			w.late(start, applied, now, seq)
		}
	}
}

func (w *waiter) join(seq uint64) *waiting {
	me := &waiting{seq: seq, arrived: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, me)
	if !w.polling {
		w.polling = true
		go w.poll()
	}
	return me
}

func (w *waiter) leave(me *waiting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(other *waiting) bool { return other == me })
}

// poll asks until nobody waits.
func (w *waiter) poll() {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for range ticker.C {
		applied, err := w.reader.Applied(context.Background())
		useless := err != nil || !w.reader.WriterPresent()
		if !w.release(applied, useless) {
			return
		}
	}
}

// release lets go whom applied satisfies, everybody when waiting is useless, and
// reports whether anybody is left.
func (w *waiter) release(applied uint64, useless bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(who *waiting) bool {
		if useless || applied >= who.seq {
			close(who.arrived)
			return true
		}
		return false
	})
	w.polling = len(w.waiting) > 0
	return w.polling
}

func (w *waiter) canArrive(applied, seq uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pace.canArrive(time.Now(), applied, seq, w.longest)
}

func (w *waiter) late(start time.Time, before, applied, seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pace.late(start, before, time.Now(), applied, seq)
}
