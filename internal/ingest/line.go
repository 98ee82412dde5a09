package ingest

import (
	"errors"
	"sync"
	"time"
)

const (
	// fewInLine is how many deliveries may wait, however long that takes. They are
	// enough to keep the disk busy.
	fewInLine = 512

	// longestWait is how long the first in line may have waited while others are let
	// in behind it.
	longestWait = 500 * time.Millisecond
)

// errTooLong is why a delivery was not let in, and errBusy what its sender hears: in
// an overload thousands of times a second.
var (
	errTooLong = errors.New("too many deliveries wait, for too long")
	errBusy    = &UnavailableError{Reason: errTooLong.Error(), Err: errTooLong}
)

// line is the small deliveries that are not answered yet, in the order in which they
// came. Whoever comes while the first of many has waited for too long would wait as
// long: it is refused at once, before anything is done for it. What is too long is a
// time and not a number, because how many are answered in it differs between machines,
// and from one moment of a disk to the next.
type line struct {
	few     int           // so many may wait, however long that takes
	longest time.Duration // wait of the first, while others are let in

	mu    sync.Mutex
	ends  place // the first in line is ends.next, the last ends.prev
	count int
}

// place is somebody's place in line, or none.
type place struct {
	line       *line // nil when it is in none
	since      time.Time
	next, prev *place
}

func newLine(few int, longest time.Duration) *line {
	l := &line{few: few, longest: longest}
	l.ends.next, l.ends.prev = &l.ends, &l.ends
	return l
}

// join puts p at the end of the line. It reports false, and does not, when the wait
// would be too long.
func (l *line) join(p *place) bool {
	p.since = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count >= l.few && p.since.Sub(l.ends.next.since) > l.longest {
		return false
	}
	p.line, p.prev, p.next = l, l.ends.prev, &l.ends
	p.prev.next, p.next.prev = p, p
	l.count++
	return true
}

// leave takes p out of its line, if it is in one.
func (p *place) leave() {
	l := p.line
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.prev.next, p.next.prev = p.next, p.prev
	p.line = nil
	l.count--
}
