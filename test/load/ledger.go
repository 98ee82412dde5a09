package load

import (
	"bufio"
	"fmt"
	"io"
	"math/bits"
	"os"
	"strconv"
	"sync"
)

// Ledger knows which messages were acknowledged, by their numbers. Several
// goroutines may use it at once. The zero value is empty and kept in memory.
type Ledger struct {
	mu    sync.Mutex
	acked []uint64 // one bit for each number
	count int
	next  uint64 // one above the highest number
	file  *os.File
	lines *bufio.Writer
}

// OpenLedger reads the ledger in a file, which may be missing, and keeps it
// there from now on: one number a line.
func OpenLedger(path string) (*Ledger, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	l := &Ledger{}
	for s := bufio.NewScanner(f); s.Scan(); {
		n, err := strconv.ParseUint(s.Text(), 10, 64)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("ledger %s: %w", path, err)
		}
		l.Add(n)
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		f.Close()
		return nil, err
	}
	l.file, l.lines = f, bufio.NewWriter(f)
	return l, nil
}

// Add notes that message n was acknowledged.
func (l *Ledger) Add(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for uint64(len(l.acked)) <= n/64 {
		l.acked = append(l.acked, 0)
	}
	if l.acked[n/64]&(1<<(n%64)) != 0 {
		return
	}
	l.acked[n/64] |= 1 << (n % 64)
	l.count++
	l.next = max(l.next, n+1)
	if l.lines != nil {
		l.lines.WriteString(strconv.FormatUint(n, 10))
		l.lines.WriteByte('\n')
	}
}

// Len returns how many messages were acknowledged.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Next returns the number above the highest acknowledged one.
func (l *Ledger) Next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// All calls f for each number in ascending order. f must not use the ledger.
func (l *Ledger) All(f func(n uint64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, word := range l.acked {
		for ; word != 0; word &= word - 1 {
			f(uint64(i)*64 + uint64(bits.TrailingZeros64(word)))
		}
	}
}

// Close writes what is left into the file, when there is one.
func (l *Ledger) Close() error {
	if l.file == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.lines.Flush()
	if e := l.file.Close(); err == nil {
		err = e
	}
	l.file, l.lines = nil, nil
	return err
}
