package harness

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Link is a way to a server that can be cut, blocked and narrowed: it forwards
// TCP connections to where a server listens.
type Link struct {
	Addr     string // of its near end
	target   string
	listener net.Listener

	mu      sync.Mutex
	change  *sync.Cond // of what follows, which Set changes
	Cut     bool       // connections are reset, new ones at once
	Blocked bool       // nothing comes through, in either direction
	Rate    int        // bytes a second and direction, 0 = as many as can be
	open    map[net.Conn]bool
	dialed  int // connections so far
}

// NewLink opens a link to an address that need not be there yet.
func NewLink(t testing.TB) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{Addr: listener.Addr().String(), listener: listener, open: map[net.Conn]bool{}}
	l.change = sync.NewCond(&l.mu)
	t.Cleanup(func() {
		listener.Close()
		l.Set(func() { l.Cut, l.Blocked = true, false })
	})
	return l
}

// To says where the far end is, and opens the link. It is called once.
func (l *Link) To(target string) {
	l.target = target
	go l.accept()
}

// Set changes the link's state and has every connection look at it.
func (l *Link) Set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	if l.Cut {
		for c := range l.open {
			reset(c)
		}
	}
	l.change.Broadcast()
}

// Dialed returns how many connections have come through so far.
func (l *Link) Dialed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dialed
}

// Restore lets everything through again.
func (l *Link) Restore() { l.Set(func() { l.Cut, l.Blocked, l.Rate = false, false, 0 }) }

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0) // fails only on one that is closed
	c.Close()
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.target)
		if err != nil {
			reset(near)
			continue
		}
		l.Set(func() { // which resets both when the link is cut
			l.open[near], l.open[far] = true, true
			l.dialed++
		})
		go l.forward(near, far)
		go l.forward(far, near)
	}
}

func (l *Link) forward(from, to net.Conn) {
	defer l.forget(from, to)
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		time.Sleep(l.pace(n))
		if _, e := to.Write(buffer[:n]); e != nil || err != nil {
			return
		}
	}
}

// pace waits while the link is blocked and returns how long n bytes take.
func (l *Link) pace(n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.Blocked {
		l.change.Wait()
	}
	if l.Rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(l.Rate)
}

func (l *Link) forget(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(l.open, c)
	}
}
