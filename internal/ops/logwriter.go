package ops

import (
	"io"
	"sync"
	"time"
)

const (
	flushDelay = 100 * time.Millisecond // the longest that a line waits in memory
	flushBytes = 64 << 10               // that many are written without waiting longer
	maxBytes   = 1 << 20                // that many may wait; then who logs has to write
)

// lineWriter gathers lines and writes them to w in order, never parted. A line
// that w refuses is lost: there is nowhere left to say so.
type lineWriter struct {
	writing sync.Mutex // held while w is written to; taken before mu
	w       io.Writer
	spare   []byte // the buffer that was written last, to be used again

	mu      sync.Mutex
	pending []byte
	timer   *time.Timer // runs flush; it is set while anything is pending
}

// write takes one line. The bytes stay the caller's.
func (l *lineWriter) write(line []byte) {
	l.mu.Lock()
	before := len(l.pending)
	l.pending = append(l.pending, line...)
	after := len(l.pending)
	switch {
	case before == 0 && l.timer == nil:
		l.timer = time.AfterFunc(flushDelay, l.flush)
	case before == 0:
		l.timer.Reset(flushDelay)
	case before < flushBytes && after >= flushBytes:
		l.timer.Reset(0)
	}
	l.mu.Unlock()

	if after >= maxBytes {
		l.flush()
	}
}

// flush returns once every line taken before it was called has been written.
func (l *lineWriter) flush() {
	l.writing.Lock()
	defer l.writing.Unlock()

	l.mu.Lock()
	lines := l.pending
	l.pending = l.spare[:0]
	l.mu.Unlock()

	if len(lines) > 0 {
		_, _ = l.w.Write(lines)
	}
	l.spare = lines
}
