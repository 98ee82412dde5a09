package stream

import (
	"sync/atomic"
	"time"
)

// silence is what a Publisher knows of a stream that answers nobody, or of a disk that
// does not come back from a sync: nothing else tells of one that hangs. After a publish
// that timed out one tries each second, and all others are refused at once instead of
// waiting as long, until somebody was answered.
type silence struct{ nextTry atomic.Int64 } // in nanoseconds, 0 while there is none

const tryEvery = time.Second

// refuses reports whether a publish must not wait.
func (s *silence) refuses() bool {
	next := s.nextTry.Load()
	if next == 0 {
		return false
	}
	now := time.Now()
	return now.UnixNano() < next || !s.nextTry.CompareAndSwap(next, now.Add(tryEvery).UnixNano())
}

// began is called after a publish that timed out.
func (s *silence) began() { s.nextTry.Store(time.Now().Add(tryEvery).UnixNano()) }

// ended is called after one that was answered.
func (s *silence) ended() {
	if s.nextTry.Load() != 0 {
		s.nextTry.Store(0)
	}
}
